import os
from io import BytesIO, TextIOWrapper

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
        ("1,two\n3,4\n", "line 1, column 2: expected a number, but found 'two'"),
        ("-inf,1\n", "line 1, column 1: expected a finite number, but found '-inf'"),
        ("1e999,1\n", "line 1, column 1: expected a finite number"),
        (
            "0,5;1.5\n1;2\n",
            "line 1, column 1: .* found '0,5': other numbers have a decimal point; write 0.5, or say --decimal ,",
        ),
        ('"1,5","2.5"\n1,2\n', "line 1, column 1: .* found '1,5': other numbers have a decimal point"),
        ("1,500;2\n3;4\n", "line 1, column 1: 1,500 may be 1.500 or 1500: say --decimal , or --decimal ."),
        ("a,b,c\n1,2,3\n", "found 3: say --x and --y; the columns are a, b, c"),
        ("-;-\n1;2\n", "line 1, column 1: expected a number, but found '-'"),
        ("?,?\n1,2\n", "line 1, column 1: expected a number, but found '\\?'"),
        ("1.0.0,2.0.0\n1,2\n", "line 1, column 1: expected a number, but found '1.0.0'"),
        ("O.5,l.5\n1,2\n", "line 1, column 1: expected a number, but found 'O.5'"),
        ("2020-01-01,-1-\n1,2\n", "line 1, column 1: expected a number, but found '2020-01-01'"),
        ("x,None\n1,2\n", "line 1, column 1: expected a number, but found 'x'$"),
        ("x\n1,5\n2,5\n", "one name stands above lines such as 1,5, .* say --decimal . for two"),
        ("a,b,c\n1,2\n", "line 2: expected 3 columns but found 2 columns$"),
        ("0,5,1,5\n1,5,2,5\n", "expected two columns, x and y, but found 4: say --x and --y; the columns are 1 to 4"),
        ("x;y\n1,2\n", "one name stands above lines such as 1,2"),
        ("x,y\n1_0,2\n", "line 2, column 1: expected a number, but found '1_0': write 10"),
        ("1,1_000_000\n", "line 1, column 2: expected a number, but found '1_000_000': write 1000000"),
        ("1,٣\n", "line 1, column 2: expected a number, but found '٣'"),
        ("½,½\n1,2\n", "line 1, column 1: expected a number, but found '½'"),
        ("1,0x1p3\n", "line 1, column 2: expected a number, but found '0x1p3'"),
        ('1,"2"3\n', "line 1: ',' expected after '\"'"),
        ('1,"2\n3,4\n', "unexpected end of data"),
        (b"1,2\n\x00,1\n", r"is not a text file in UTF-8 \(its byte 4 is zero\)"),
        (b"x,y\n\xff\xfe,1\n", "is not a text file in UTF-8"),
        ("x,y\n" + '"' + "1" * 200_000 + '",2\n', "line 2: field larger than field limit"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_line_and_column(written, content, message):
    with pytest.raises(DataError, match=message):
        points.read(written(content))


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        ("0,5;1,5\n3;-4,25", {}, ["Read 2 points, divided by semicolons, with decimal commas."]),
        ('"0,5","1,5"\n3,"-4,25"', {}, ["Read 2 points, with decimal commas."]),
        ("0,5 1,5\n3   −4,25\n", {}, ["Read 2 points, divided by spaces, with decimal commas."]),
        ("0,500;1,500\n3;-4,250", {"decimal": ","}, ["Read 2 points, divided by semicolons, with decimal commas."]),
        ("# made by logger\n#x y\n.5\t1.5 # good\n3\t-4.25", {}, ["Read 2 points, divided by tabs."]),
        ("sep=;\n.5;1.5\n3;-4.25", {}, ["Read 2 points, divided by semicolons."]),
        ("Deflection of 2024-05-01\n\nload,bend\nkN,mm\n.5,1.5\n3,-4.25", {}, []),
        ("load,bend\n(kN),[mm]\n.5,1.5,\n3,-4.25,\n", {}, []),
        ("t;T;p\na;1.5;.5\nb;-4.25;3", {"x": "p", "y": "2"}, None),
        (",T\n.5,1.5\n3,-4.25", {}, []),
        ("T,t\n1.5,.5\n-4.25,3", {"x": "t", "y": "T"}, ["Read 2 points, columns 2 and 1."]),
        (
            "x,y\n.5,1.5\n1,NA\n,4\n3,-4.25\nnan,null\n", {},
            ["Left out 3 of 5 rows, in which x or y is missing: line 3, 4, 6."],
        ),
        ("x,y\n.5,1.5\n3,-4.25".encode("utf-16"), {}, ["Read 2 points, in utf-16."]),
        ("x,y\n.5,1.5\n3,-4.25".encode("utf-16-be"), {"encoding": "utf-16-be"}, ["Read 2 points, in utf-16-be."]),
        ("Höhe;Länge\n0,5;1,5\n3;-4,25".encode("latin-1"), {"encoding": "latin-1"}, None),
        ("시간,점수\n.5,1.5\n3,-4.25".encode("cp949"), {"encoding": "cp949", "x": "시간", "y": "점수"}, None),
    ],
)  # fmt: skip
def test_files_are_read_as_they_come_and_what_was_found_out_is_said(written, content, options, told):
    said = []
    x, y = points.read(written(content), **options, say=said.append)
    np.testing.assert_array_equal(x, [0.5, 3])
    np.testing.assert_array_equal(y, [1.5, -4.25])
    assert told is None or said == told


@pytest.mark.parametrize("name", ["latin-1", "cp949"])
def test_an_encoding_that_cannot_be_known_is_asked_for(written, name):
    with pytest.raises(DataError, match=r"not a text file in UTF-8 .* say --encoding, such as latin-1 or cp949"):
        points.read(written(("시간" if name == "cp949" else "Höhe").encode(name) + b",y\n1,2\n"))


def test_points_come_from_the_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"1 2\n3 4.5\n")))
    assert [list(column) for column in points.read("-")] == [[1, 3], [2, 4.5]]


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
