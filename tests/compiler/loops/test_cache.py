"""Sources as files: found again, never trusted, never needed."""

import os
import stat
import subprocess
import sys
import uuid

import pytest

from tinygrad_poly.compiler.loops import cache

posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners and modes here")


@pytest.fixture
def place(tmp_path, monkeypatch):
    path = tmp_path / "cache"
    monkeypatch.setenv("TINYGRAD_POLY_CACHE", str(path))
    return path


@pytest.fixture
def source():
    """A source that no module has yet."""
    return f"def run():\n    return '{uuid.uuid4()}'\n"


def forget(module):
    del sys.modules[module.__name__]


def test_the_same_source_is_the_same_module(place, source):
    module = cache.load(source)
    assert module.run() in source
    assert cache.load(source) is module
    assert module.__file__.startswith(str(place))


@posix
def test_only_the_owner_can_read_the_folder(place, source):
    cache.load(source)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


@posix
def test_a_folder_that_others_can_write_to_is_closed(place):
    place.mkdir()
    place.chmod(0o777)
    assert cache.folder() == place
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


@posix
def test_a_folder_of_somebody_else_is_not_used(place, source, monkeypatch):
    place.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: place.stat().st_uid + 1)
    assert cache.folder() is None
    assert cache.load(source).run() in source
    assert not list(place.iterdir())


def test_a_file_that_is_right_is_not_written_again(place, source):
    first = cache.load(source)
    written = os.stat(first.__file__).st_mtime_ns
    forget(first)
    assert os.stat(cache.load(source).__file__).st_mtime_ns == written


@pytest.mark.parametrize(
    "foreign", [b"raise SystemExit('executed')", b"\xff\x00", b""], ids=["code", "binary", "empty"]
)
def test_a_foreign_file_is_replaced_and_never_executed(place, source, foreign):
    first = cache.load(source)
    with open(first.__file__, "wb") as file:
        file.write(foreign)
    forget(first)
    assert cache.load(source).run() in source
    with open(first.__file__, "rb") as file:
        assert file.read() == source.encode()


@posix
def test_a_link_is_replaced_and_what_it_points_to_left_alone(place, source, tmp_path):
    first = cache.load(source)
    target = tmp_path / "target.py"
    target.write_text(source)
    os.remove(first.__file__)
    os.symlink(target, first.__file__)
    forget(first)
    assert cache.load(source).run() in source
    assert not os.path.islink(first.__file__)
    assert target.read_text() == source


def test_a_pyc_beside_the_source_is_not_looked_at(place, source):
    import py_compile

    first = cache.load(source)
    evil = place / "evil.py"
    evil.write_text("raise SystemExit('executed')\n")
    target = f"{place}/__pycache__/{first.__name__}.{sys.implementation.cache_tag}.pyc"
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(evil), target, invalidation_mode=mode)
    forget(first)
    assert cache.load(source).run() in source


def test_a_folder_where_the_file_should_be(place, source):
    first = cache.load(source)
    os.remove(first.__file__)
    os.mkdir(first.__file__)
    forget(first)
    assert cache.load(source).run() in source


@pytest.mark.parametrize("blocked", ["a file", "no home"])
def test_where_nothing_can_be_kept_a_temporary_folder_does(tmp_path, source, monkeypatch, blocked):
    if blocked == "a file":
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TINYGRAD_POLY_CACHE", str(tmp_path / "file" / "cache"))
    else:
        for name in ("TINYGRAD_POLY_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)

        def no_home():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(cache.Path, "home", no_home)
    assert cache.folder() is None
    assert cache.load(source).run() in source


def test_a_folder_that_cannot_be_written_to_is_not_used(place, source, monkeypatch):
    place.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache.folder() is None
    assert cache.load(source).run() in source


PROGRAM = """
import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
print(compile(lambda x: (x * x).sum())(tg.tensor([1.0, 2.0])).item())
"""


def test_another_process_finds_what_numba_compiled_and_gets_over_damage(place):
    pytest.importorskip("numba")

    def run():
        found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
        assert (found.stdout, found.stderr) == ("5.0\n", "")

    run()
    (compiled,) = place.rglob("*.nbc")
    (index,) = place.rglob("*.nbi")
    before = compiled.stat().st_mtime_ns
    run()
    assert compiled.stat().st_mtime_ns == before
    compiled.write_bytes(b"damaged")
    run()
    index.write_bytes(b"damaged")
    run()
