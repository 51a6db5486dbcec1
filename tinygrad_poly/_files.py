"""Atomic files: written completely, or not at all."""

import glob
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tinygrad_poly.engine.errors import DataError

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed
    fcntl = None


def check_writable(path: str | Path) -> None:
    """Raise an error unless a file can be written at `path`: better before a long fit than after it.

    Raises:
        DataError: for a folder, a missing folder, and one that may not be written to.
    """
    target = Path(path).resolve()
    if target.is_dir():
        raise DataError(f"cannot write {path}: it is a folder; add a file name")
    if target.exists() and not target.is_file():
        raise DataError(f"cannot write {path}: it is not a regular file")
    if target.exists() and not os.access(target, os.W_OK):
        raise DataError(f"cannot write {path}: it is protected against writing")
    if not target.parent.is_dir():
        raise DataError(f"cannot write {path}: the folder {target.parent} does not exist; create it first")
    try:
        trial = _draft(target)
        trial.touch(exist_ok=False)
        trial.unlink(missing_ok=True)  # another process may have taken it for abandoned
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def write(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`; until all of it is on disk, the old file stays.

    It is written to a draft beside it, which takes its place. Several processes and threads may write the same file:
    each has a draft of its own, and the last one to finish stays. Drafts of processes that were killed are removed.

    Raises:
        DataError: where `path` cannot be written.
    """
    check_writable(path)
    target = Path(path).resolve()
    try:
        _remove_abandoned(target)
        draft, file = _new_draft(target)
        try:
            with file:
                with suppress(FileNotFoundError):
                    shutil.copymode(target, draft)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                if fcntl:  # while it is locked; Windows cannot rename an open file
                    os.replace(draft, target)
            if not fcntl:
                os.replace(draft, target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def _draft(target: Path) -> Path:
    """A new file name that nobody else uses.

    In the same folder, because a rename is atomic only within one file system; and short, because names have a limit.
    """
    return target.with_name(f"{_beginning(target)}{secrets.token_hex(8)}.part")


def _beginning(target: Path) -> str:
    return f".{target.name[:40]}."


def _new_draft(target: Path) -> tuple[Path, BinaryIO]:
    """A new file, locked as long as it is open."""
    while True:
        draft = _draft(target)
        file = open(draft, "xb")  # noqa: SIM115
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # it was taken for abandoned, between the lines above
            file.close()
            continue
        except OSError:  # a file system without locks, where nobody removes it either
            pass
        if os.fstat(file.fileno()).st_nlink:
            return draft, file
        file.close()


def _remove_abandoned(target: Path) -> None:
    """Remove drafts that nobody writes any more: those that can be locked, or on Windows removed."""
    for draft in target.parent.glob(f"{glob.escape(_beginning(target))}*.part"):
        with suppress(OSError):
            if not fcntl:
                draft.unlink()
                continue
            descriptor = os.open(draft, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.unlink()
            finally:
                os.close(descriptor)
