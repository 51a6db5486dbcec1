import os

import numpy as np
import pytest

from tinygrad_poly.engine.errors import DataError
from tinygrad_poly.fitting import points


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "points.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        "x,y\n1,2\n3,4.5\n",
        "1,2\n3,4.5",
        "\ufeffx,y\r\n1,2\r\n3,4.5\r\n",
        "\n\nhours;score\n\n1;2\n 3 ; 4.5 \n\n",
        "1\t2\n3\t4.5\n",
        '"x","y"\n"1","2"\n"3","4.5"\n',
        '"time; s",y\n1,2\n3,4.5\n',
        '"a\tb","c;d"\n1,2\n3,4.5\n',
        '"x", "y"\n1, "2"\n3, 4.5\n',
        '"two\nlines",y\n1,2\n3,4.5\n',
        '"say ""x""; now",y\n1,2\n3,4.5\n',
        "x;y\r1;2\r3;4.5\r",
        "x1,y_2\n+1,2.\n3e0,45E-1\n",
        "시간 (s),점수\n1,2\n3,4.5\n",
        "x,y\n1,2\n,\n3,4.5\n , \n",
    ],
    ids=[
        "header",
        "bare",
        "Excel",
        "semicolons and blank lines",
        "tabs",
        "quotes",
        "a semicolon in a name",
        "delimiters in names",
        "spaces before quotes",
        "a name of two lines",
        "quotes in a name",
        "carriage returns",
        "signs and exponents",
        "names in Korean",
        "empty rows",
    ],
)
def test_two_columns_are_read(written, content):
    x, y = points.read(written(content))
    np.testing.assert_array_equal(x, [1, 3])
    np.testing.assert_array_equal(y, [2, 4.5])
    assert x.dtype == y.dtype == np.float64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no points"),
        ("\n\n", "holds no points"),
        ("x,y\n", "holds no points"),
        ("x,y\n1,2\n3\n", "line 3: expected two columns, x and y, but found 1 column$"),
        ("x,y\n1,2\n\n3,4,5\n", "line 4: expected two columns, x and y, but found 3 columns"),
        ("1\n2\n", "line 1: expected two columns, x and y, but found 1 column"),
        ("x,y\n1,2\n3,four\n", "line 3, column 2: expected a number, but found 'four'"),
        ("x,y\n1,2\n,4\n", "line 3, column 1: expected a number, but found ''"),
        ("x,y\nx,y\n1,2\n", "line 2, column 1: expected a number, but found 'x'"),
        ("1,two\n3,4\n", "line 1, column 2: expected a number, but found 'two'"),
        ("1;2,5\n3;4\n", "line 1, column 2: expected a number, but found '2,5'"),
        ("x,y\n1,nan\n", "line 2, column 2: expected a finite number, but found 'nan'"),
        ("-inf,1\n", "line 1, column 1: expected a finite number, but found '-inf'"),
        ("1e999,1\n", "line 1, column 1: expected a finite number"),
        ("0,5;1,5\n1;2\n2;4\n", "line 1, column 1: expected a number, but found '0,5': write 0.5 with a point"),
        ('"1,5";"2,5"\n1;2\n', "line 1, column 1: expected a number, but found '1,5': write 1.5 with a point"),
        ("NA,NA\n1,2\n", "line 1, column 1: expected a number, but found 'NA', nor a column's name"),
        ("-;-\n1;2\n", "line 1, column 1: expected a number, but found '-', nor a column's name"),
        ("?,?\n1,2\n", "line 1, column 1: expected a number, but found '\\?', nor a column's name"),
        ("1.0.0,2.0.0\n1,2\n", "line 1, column 1: expected a number, but found '1.0.0', nor a column's name"),
        ("O.5,l.5\n1,2\n", "line 1, column 1: expected a number, but found 'O.5', nor a column's name"),
        ("2020-01-01,-1-\n1,2\n", "line 1, column 1: expected a number, but found '2020-01-01', nor"),
        ("x,None\n1,2\n", "line 1, column 1: expected a number, but found 'x'$"),
        ("x,\n1,2\n", "line 1, column 1: expected a number, but found 'x'$"),
        (",y\n1,2\n", "line 1, column 1: expected a number, but found '', nor a column's name"),
        ("x\n1,5\n2,5\n", "line 1: expected two columns, x and y, but found 1 column$"),
        ("a,b,c\n1,2\n", "line 1: expected two columns, x and y, but found 3 columns$"),
        ("0,5,1,5\n1,5,2,5\n", "line 1: expected two columns, x and y, but found 4 columns$"),
        ("x;y\n1,2\n", "line 2: .* found 1 column; in the first line they are divided by ';'"),
        ("1 2\n3 4\n", "line 1: .* found 1 column: put a comma, and not spaces, between the two"),
        ("x y\n3 4\n", "line 1: .* found 1 column: put a comma"),
        ("# made by logger\n1;2\n", "line 1: .* found 1 column: delete comments, the lines that begin with #"),
        ("#x,y\n1,2\n", "line 1, column 1: expected a number, but found '#x'"),
        ("sep=;\n1;2\n", "line 1, column 1: expected a number, but found 'sep='"),
        ("x,y\n1_0,2\n", "line 2, column 1: expected a number, but found '1_0': write 10"),
        ("1,1_000_000\n", "line 1, column 2: expected a number, but found '1_000_000': write 1000000"),
        ("1,٣\n", "line 1, column 2: expected a number, but found '٣'"),
        ("½,½\n1,2\n", "line 1, column 1: expected a number, but found '½', nor a column's name"),
        ("1,−2\n", "line 1, column 2: expected a number, but found '−2'"),
        ("1,0x1p3\n", "line 1, column 2: expected a number, but found '0x1p3'"),
        ('1,"2"3\n', "line 1: ',' expected after '\"'"),
        ('1,"2\n3,4\n', "unexpected end of data"),
        (b"1,2\n\x00,1\n", r"is not a text file in UTF-8 \(its byte 4 is zero\)"),
        ("x,y\n1,2\n".encode("utf-16"), "is not a text file in UTF-8"),
        (b"x,y\n\xff\xfe,1\n", "is not a text file in UTF-8"),
        ("x,y\n" + '"' + "1" * 200_000 + '",2\n', "line 2: field larger than field limit"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_line_and_column(written, content, message):
    with pytest.raises(DataError, match=message):
        points.read(written(content))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.csv: No such file"):
        points.read(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot read"):
        points.read(tmp_path)
    (tmp_path / "points.csv").write_text("1,2\n")
    with pytest.raises(DataError, match=r"cannot read .*points\.csv/: Not a directory"):
        points.read(f"{tmp_path}/points.csv/")


def test_what_has_no_end_is_refused(written, monkeypatch):
    monkeypatch.setattr(points, "LARGEST", 3 * 2**20)
    with pytest.raises(DataError, match="has more than 3 MiB, or no end"):
        points.read(written("1,2\n" * 10**6))
    assert len(points.read(written("1,2\n" * 10**5))[0]) == 10**5


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such device")
def test_a_device_that_never_ends_is_refused_at_once():
    with pytest.raises(DataError, match="/dev/zero is not a text file"):
        points.read("/dev/zero")
