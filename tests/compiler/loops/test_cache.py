"""Machine code on disk: found again, never trusted, never needed."""

import hashlib
import os
import pickle
import random
import stat
import subprocess
import sys

import pytest

from tinygrad_poly.compiler.loops import cache

posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners and modes here")


@pytest.fixture
def place(tmp_path, monkeypatch):
    path = tmp_path / "cache"
    monkeypatch.setenv("TINYGRAD_POLY_CACHE", str(path))
    return path


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_is_read(place):
    assert cache.read("code") is None
    cache.write("code", b"machine code")
    cache.write("nothing", b"")
    assert (cache.read("code"), cache.read("nothing")) == (b"machine code", b"")
    cache.write("code", b"newer")
    assert cache.read("code") == b"newer"
    assert {path.name for path in place.iterdir()} == {"code", "nothing"}


@posix
def test_only_the_owner_can_read_what_is_made(place):
    old = os.umask(0)
    try:
        cache.write("code", b"machine code")
    finally:
        os.umask(old)
    assert (mode(place), mode(place / "code")) == (0o700, 0o600)


@posix
@pytest.mark.parametrize("permissions", [0o777, 0o775, 0o702, 0o720])
def test_a_folder_that_others_can_write_to_is_neither_used_nor_changed(place, permissions):
    cache.write("code", b"machine code")
    place.chmod(permissions)
    assert cache.folder() is None
    assert cache.read("code") is None
    cache.write("more", b"machine code")
    assert mode(place) == permissions
    assert [path.name for path in place.iterdir()] == ["code"]


@posix
@pytest.mark.parametrize("permissions", [0o700, 0o755, 0o711])
def test_a_folder_that_others_can_only_read_is_used_and_not_changed(place, permissions):
    place.mkdir()
    place.chmod(permissions)
    assert cache.folder() == place
    assert mode(place) == permissions


@posix
def test_in_a_folder_like_that_for_temporary_files_there_is_one_of_ones_own(place):
    place.mkdir()
    place.chmod(0o1777)
    assert cache.folder() == place / f"tinygrad_poly-{os.getuid()}"
    assert (mode(place), mode(cache.folder())) == (0o1777, 0o700)
    cache.folder().chmod(0o777)
    assert cache.folder() is None


@posix
@pytest.mark.parametrize(("permissions", "trusted"), [(0o777, False), (0o775, False), (0o1777, True), (0o755, True)])
def test_a_folder_that_others_could_exchange_is_not_used(tmp_path, monkeypatch, permissions, trusted):
    place = tmp_path / "shared" / "mine" / "cache"
    place.mkdir(mode=0o700, parents=True)
    (tmp_path / "shared").chmod(permissions)
    monkeypatch.setenv("TINYGRAD_POLY_CACHE", str(place))
    assert (cache.folder() is not None) == trusted


@posix
def test_a_folder_of_somebody_else_is_not_used(place, monkeypatch):
    place.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: place.stat().st_uid + 1)
    assert cache.folder() is None
    cache.write("code", b"machine code")
    assert not list(place.iterdir())


@posix
@pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("which", ["the folder", "the file", "a folder above"])
def test_what_belongs_to_somebody_else_is_not_read(place, which):
    cache.write("code", b"machine code")
    os.chown({"the folder": place, "the file": place / "code", "a folder above": place.parent}[which], 65534, -1)
    assert cache.read("code") is None


@posix
@pytest.mark.parametrize("permissions", [0o666, 0o620, 0o602])
def test_a_file_that_others_can_write_to_is_not_read_but_written_anew(place, permissions):
    cache.write("code", b"machine code")
    (place / "code").chmod(permissions)
    assert cache.read("code") is None
    cache.write("code", b"machine code")
    assert cache.read("code") == b"machine code"


@posix
@pytest.mark.parametrize("kind", ["link", "second name", "pipe", "folder"])
def test_what_is_no_file_of_its_own_is_not_read(place, tmp_path, kind):
    cache.write("code", b"machine code")
    path, elsewhere = place / "code", tmp_path / "elsewhere"
    path.rename(elsewhere)
    {
        "link": lambda: path.symlink_to(elsewhere),
        "second name": lambda: path.hardlink_to(elsewhere),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }[kind]()
    assert cache.read("code") is None
    before = elsewhere.read_bytes()
    cache.write("code", b"newer")
    assert elsewhere.read_bytes() == before
    assert cache.read("code") == (None if kind == "folder" else b"newer")
    assert {path.name for path in place.iterdir()} == {"code"}


def test_no_damage_is_read(place):
    content = random.Random(0).randbytes(30)
    cache.write("code", content)
    whole = (place / "code").read_bytes()
    damaged = [whole[:end] for end in range(len(whole))] + [b"", b"junk", whole + b"\0", content]
    damaged += [whole[:i] + bytes([whole[i] ^ 1 << i % 8]) + whole[i + 1 :] for i in range(len(whole))]
    for bad in damaged:
        (place / "code").write_bytes(bad)
        assert cache.read("code") is None
    (place / "code").write_bytes(whole)
    assert cache.read("code") == content


@pytest.mark.parametrize("blocked", ["a file", "no home", "no such user"])
def test_where_nothing_can_be_kept_nothing_is(tmp_path, monkeypatch, blocked):
    if blocked == "a file":
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TINYGRAD_POLY_CACHE", str(tmp_path / "file" / "cache"))
    elif blocked == "no such user":
        monkeypatch.setenv("TINYGRAD_POLY_CACHE", "~nobody-of-this-name/cache")
    else:
        for name in ("TINYGRAD_POLY_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)

        def no_home():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(cache.Path, "home", no_home)
    assert cache.folder() is None
    cache.write("code", b"machine code")
    assert cache.read("code") is None


def test_a_folder_that_cannot_be_written_to_is_not_used(place, monkeypatch):
    place.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache.folder() is None


def test_a_full_disk_costs_the_cache_only(place, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.write("code", b"machine code")
    assert not list(place.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="the cache of Windows is elsewhere")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "home/.cache/tinygrad_poly"),
        ({"XDG_CACHE_HOME": "{here}/caches"}, "caches/tinygrad_poly"),
        ({"XDG_CACHE_HOME": "relative"}, "home/.cache/tinygrad_poly"),
        ({"XDG_CACHE_HOME": ""}, "home/.cache/tinygrad_poly"),
        ({"TINYGRAD_POLY_CACHE": "~/of mine"}, "home/of mine"),
        ({"TINYGRAD_POLY_CACHE": "relative"}, "relative"),
        ({"TINYGRAD_POLY_CACHE": ""}, "home/.cache/tinygrad_poly"),
    ],
)
def test_where_the_folder_is(tmp_path, monkeypatch, variables, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("TINYGRAD_POLY_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "{here}/home", **variables}.items():
        monkeypatch.setenv(name, value.format(here=tmp_path))
    assert cache.folder() == tmp_path / expected


PROGRAM = """
import tinygrad_poly as tg
from tinygrad_poly.compiler import compile
print(compile(lambda x: (x * x).sum())(tg.tensor([1.0, 2.0])).item())
"""


@pytest.fixture
def run(place, tmp_path, monkeypatch):
    """Runs a compiled program in a process of its own, which must leave no temporary file."""
    pytest.importorskip("numba")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))

    def run():
        found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
        assert (found.stdout, found.stderr) == ("5.0\n", "")
        assert not list(temporary.iterdir())

    return run


def test_another_process_finds_the_machine_code_and_mends_it(place, run):
    run()
    (compiled,) = place.iterdir()
    written, content = compiled.stat().st_mtime_ns, compiled.read_bytes()
    run()
    assert compiled.stat().st_mtime_ns == written
    middle = len(content) // 2
    compiled.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
    run()
    assert cache.read(compiled.name) is not None
    assert list(place.iterdir()) == [compiled]


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@posix
def test_a_planted_pickle_is_not_executed(place, run, tmp_path):
    run()
    (code,) = place.iterdir()
    payload = pickle.dumps(Planted(str(tmp_path / "executed")))
    code.write_bytes(hashlib.sha256(payload).digest() + payload)
    place.chmod(0o777)
    run()
    assert not (tmp_path / "executed").exists()
    assert list(place.iterdir()) == [code]
