"""Files that are either written completely or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from tinygrad_poly.engine.errors import DataError


def check_writable(path: str | Path) -> None:
    """Raise unless a file can be written at `path`: better found out before a long fit than after it.

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
    trial = _beside(target)
    try:
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def write(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`; until all of it is on the disk, what was there before stays there.

    Raises:
        DataError: where `path` cannot be written.
    """
    check_writable(path)
    target = Path(path).resolve()
    draft = _beside(target)
    try:
        with open(draft, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        draft.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    """A file name in the same folder, because a rename is atomic only within one file system."""
    return target.with_name(f".{target.name}.{os.getpid()}.part")
