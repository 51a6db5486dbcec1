import sys

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly import _files as files
from tinygrad_poly.engine.errors import DataError, ShapeError
from tinygrad_poly.fitting import fit


@pytest.fixture
def fitted(sine):
    return fit(*sine.arguments, steps=200, progress=False)


def cubic(params, x):
    return params["a"] + params["b"] * x + params["c"] * x**2 + params["d"] * x**3


STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "jpg": b"\xff\xd8"}


@pytest.mark.parametrize("extension", STARTS)
def test_a_picture_is_drawn_in_the_format_of_its_extension(fitted, tmp_path, extension):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"fit.{extension}"
    fitted.plot(path, cubic, "a cubic")
    assert path.read_bytes().startswith(STARTS[extension])
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_model_only_the_losses_are_drawn(fitted, tmp_path):
    pytest.importorskip("matplotlib")
    fitted.plot(tmp_path / "with.svg", cubic)
    fitted.plot(tmp_path / "without.svg")
    assert len((tmp_path / "without.svg").read_text()) < len((tmp_path / "with.svg").read_text())


def test_columns_and_constants_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    x = np.array([[1.0], [2.0]])

    def loss(params, x, y):
        return ((params["c"] + 0 * x - y) ** 2).mean()

    fit(loss, {"c": 0.0}, x, x, steps=1, lr=0.1, progress=False).plot(tmp_path / "fit.png", lambda p, x: p["c"])


def test_several_x_for_a_point_cannot_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")

    def loss(params, x, y):
        return ((x @ params["w"] - y) ** 2).mean()

    result = fit(loss, {"w": np.zeros(2)}, np.eye(2), np.ones(2), steps=1, lr=0.1, progress=False)
    with pytest.raises(ShapeError, match=r"x has shape \(2, 2\) and y has shape \(2,\)"):
        result.plot(tmp_path / "fit.png", lambda params, x: x @ params["w"])


def test_the_callers_own_figures_are_left_alone(fitted, tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    fitted.plot(tmp_path / "fit.png")
    assert pyplot.get_fignums() == before


def test_without_matplotlib_the_error_says_how_to_install_it(fitted, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'tinygrad_poly\[plot\]'"):
        fitted.plot(tmp_path / "fit.png")


@pytest.mark.parametrize("name", ["fit", "fit.txt", "fit.png.zip", ""])
def test_a_picture_needs_the_extension_of_one(fitted, tmp_path, name):
    with pytest.raises(DataError, match=r"has to end in one of \.png, \.svg"):
        fitted.plot(name)


def test_places_that_cannot_be_written_are_named(tmp_path):
    with pytest.raises(DataError, match="it is a folder"):
        files.check_writable(tmp_path)
    with pytest.raises(DataError, match="does not exist; create it first"):
        files.check_writable(tmp_path / "none" / "fit.png")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="does not exist; create it first"):
        files.check_writable(tmp_path / "file" / "fit.png")
    files.check_writable(tmp_path / "fit.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="no devices in the file system")
def test_a_device_is_never_replaced():
    with pytest.raises(DataError, match="it is not a regular file"):
        files.check_writable("/dev/null")


def test_a_protected_file_is_not_overwritten(tmp_path, monkeypatch):
    path = tmp_path / "fit.png"
    path.touch()
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(DataError, match="protected against writing"):
        files.check_writable(path)


def test_a_full_disk_is_reported_before_the_fit(tmp_path, monkeypatch):
    def fails(self, exist_ok):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.touch", fails)
    with pytest.raises(DataError, match=r"cannot write .*: Read-only file system"):
        files.check_writable(tmp_path / "fit.png")


def test_a_fit_at_the_end_of_the_floating_point_numbers_can_be_drawn(sine, tmp_path):
    pytest.importorskip("matplotlib")
    result = fit(*sine.arguments, lr=1e-5, steps=225, progress=False)
    assert result.loss > 1e295
    result.plot(tmp_path / "fit.png", cubic)


def test_the_losses_of_a_fit_that_reached_zero_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")

    def loss(params, x, y):
        return ((params["w"] * x - y) ** 2).mean()

    result = fit(loss, {"w": 1.0}, tg.ones(1), tg.ones(1), steps=3, lr=0.1, log_every=1, progress=False)
    assert result.loss == 0
    result.plot(tmp_path / "fit.png")


def test_a_start_outside_the_axes_is_left_out_and_the_residuals_are_drawn(sine, tmp_path):
    pytest.importorskip("matplotlib")
    for offset, drawn in ((0.0, True), (1e6, False)):
        start = sine.start | {"a": offset}
        fit(sine.loss, start, sine.x, sine.y, progress=False).plot(tmp_path / "fit.svg", cubic)
        content = (tmp_path / "fit.svg").read_text()
        assert ("<!-- start -->" in content) == drawn
        assert "<!-- y − fit -->" in content
