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
    ],
    ids=["header", "bare", "Excel", "semicolons and blank lines", "tabs", "quotes"],
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
