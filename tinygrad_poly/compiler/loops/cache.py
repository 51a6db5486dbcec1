"""A cache on disk for machine code: bytes by name, from files that only this user can have written.

What is read here gets executed. So the folder, its parents and the file are looked at before anything is read, and a
file begins with the checksum of the rest. Where anything is wrong there is nothing to read, and it is made again.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def folder() -> Path | None:
    """The folder for machine code, made if it is missing; None if no folder is safe from other users.

    `TINYGRAD_POLY_CACHE` names another. In a folder that is open to all but where each can remove only what is his,
    such as the one for temporary files, it is a folder of this user's own. No folder that exists is changed.
    """
    given = os.environ.get("TINYGRAD_POLY_CACHE")
    try:
        path = (Path(given).expanduser() if given else _home() / "tinygrad_poly").resolve()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat().st_mode
        if hasattr(os, "getuid") and mode & OTHERS_WRITE and mode & stat.S_ISVTX:
            path /= f"tinygrad_poly-{os.getuid()}"
            path.mkdir(mode=0o700, exist_ok=True)
        return path if _is_private(path) and os.access(path, os.W_OK) else None
    except (OSError, RuntimeError):  # RuntimeError where there is no home
        return None


def _home() -> Path:
    """The folder in which the caches of all programs lie."""
    given = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    # The standard for XDG_CACHE_HOME says that a relative path is to be ignored.
    return Path(given) if os.path.isabs(given) else Path.home() / ".cache"


def _is_private(path: Path) -> bool:
    """Whether only this user (and root) can write into a folder, or put another one in its place."""
    if not hasattr(os, "getuid"):
        return True
    above = [os.stat(parent) for parent in path.parents]
    return _is_ours(path.lstat()) and all(
        found.st_uid in (0, os.getuid()) and (not found.st_mode & OTHERS_WRITE or found.st_mode & stat.S_ISVTX)
        for found in above
    )


def _is_ours(found: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user, and only this user can write to it."""
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & OTHERS_WRITE)


def read(name: str) -> bytes | None:
    """The bytes that were written under a name; None if there are none, or they are damaged, or not surely ours."""
    place = folder()
    if place is None:
        return None
    try:
        # Not through a link, and without waiting for what a pipe may bring.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(place / name, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not (stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and _is_ours(found)):
                return None
            content = file.read()
    except OSError:
        return None
    checksum, content = content[:32], content[32:]
    return content if hashlib.sha256(content).digest() == checksum else None


def write(name: str, content: bytes) -> None:
    """Write `content` under a name, replacing what was there; where that is impossible, write nothing."""
    place = folder()
    if place is None:
        return
    with suppress(OSError):
        descriptor, draft = tempfile.mkstemp(dir=place, prefix=".", suffix=".part")
        try:
            with open(descriptor, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(draft, place / name)
        except BaseException:
            os.unlink(draft)
            raise
