"""Files are complete or absent, whoever writes them at the same time and whenever somebody is killed."""

import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tinygrad_poly import _files as files
from tinygrad_poly.engine.errors import DataError

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such processes")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    files.write(tmp_path / "run.json", b"first")
    files.write(tmp_path / "run.json", b"second")
    assert (tmp_path / "run.json").read_bytes() == b"second"
    assert names(tmp_path) == ["run.json"]


def test_finding_out_whether_a_file_can_be_written_leaves_nothing(tmp_path):
    files.check_writable(tmp_path / "run.json")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["n" * 255, "이름" * 40 + ".json", "[a-z]*?.json", ".json"])
def test_any_name_that_a_file_can_have_will_do(tmp_path, name):
    files.write(tmp_path / name, b"content")
    assert names(tmp_path) == [name]


@posix
def test_permissions_are_those_of_the_file_before_or_those_of_any_new_file(tmp_path):
    old = os.umask(0o027)
    try:
        files.write(tmp_path / "new", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o600)
    files.write(tmp_path / "new", b"again")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


@posix
def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to("file")
    files.write(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"content"


def test_threads_that_write_the_same_file_each_write_all_of_it(tmp_path):
    contents = [bytes([65 + i]) * 20_000 for i in range(4)]

    def write(content):
        for _ in range(25):
            files.write(tmp_path / "run.json", content)
            assert (tmp_path / "run.json").read_bytes() in contents

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, contents))
    assert names(tmp_path) == ["run.json"]


@posix
@pytest.mark.parametrize("left", [".run.json.1.part", ".run.json.0123456789abcdef.part"])
def test_the_draft_of_a_process_that_was_killed_is_removed_and_disturbs_nobody(tmp_path, left, monkeypatch):
    (tmp_path / left).write_bytes(b"half")
    (tmp_path / ".other.json.1.part").write_bytes(b"half")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    files.write(tmp_path / "run.json", b"content")
    assert names(tmp_path) == [".other.json.1.part", "run.json"]


@posix
def test_the_draft_of_a_process_that_is_alive_is_left_alone(tmp_path):
    draft, file = files._new_draft(tmp_path / "run.json")
    with file:
        files.write(tmp_path / "run.json", b"content")
        assert names(tmp_path) == [draft.name, "run.json"]
    files.write(tmp_path / "run.json", b"content")
    assert names(tmp_path) == ["run.json"]


@posix
def test_a_draft_that_is_taken_for_abandoned_is_begun_anew(tmp_path, monkeypatch):
    flock, taken = files.fcntl.flock, []

    def late(file, operation):
        if not taken:
            taken.append(names(tmp_path))
            files._remove_abandoned(tmp_path / "run.json")
        flock(file, operation)

    monkeypatch.setattr(files.fcntl, "flock", late)
    files.write(tmp_path / "run.json", b"content")
    assert len(taken[0]) == 1
    assert names(tmp_path) == ["run.json"]


@posix
def test_on_a_file_system_without_locks_files_are_written_all_the_same(tmp_path, monkeypatch):
    def no_locks(file, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    files.write(tmp_path / "run.json", b"content")
    assert names(tmp_path) == ["run.json"]


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    files.write(tmp_path / "run.json", b"before")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"cannot write .*run\.json: No space left on device"):
        files.write(tmp_path / "run.json", b"after")
    assert (tmp_path / "run.json").read_bytes() == b"before"
    assert names(tmp_path) == ["run.json"]


WRITER = """
import sys
from tinygrad_poly import _files as files
print("ready", flush=True)
while True:
    for letter in b"ab":
        files.write(sys.argv[1], bytes([letter]) * 200_000)
"""


@posix
def test_whenever_writers_are_killed_the_file_is_whole(tmp_path):
    path = tmp_path / "run.json"
    for wait in (0.0, 0.007):
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) for _ in range(2)]
        for writer in writers:
            writer.stdout.readline()
        time.sleep(wait)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            writer.stdout.close()
        if path.exists():
            assert path.read_bytes() in (b"a" * 200_000, b"b" * 200_000)
    files.write(path, b"last")
    assert names(tmp_path) == ["run.json"]
