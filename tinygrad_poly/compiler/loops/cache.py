"""Source as a module: a file named by its content, so that Numba's own cache finds it again in another process."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import sys
import tempfile
from pathlib import Path
from types import ModuleType


def folder() -> Path | None:
    """Where sources are kept, made if need be; None if there is no folder that only this user can write to.

    What lies there is imported, so a folder of somebody else's is not used. `TINYGRAD_POLY_CACHE` names another.
    """
    given = os.environ.get("TINYGRAD_POLY_CACHE")
    home = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else os.environ.get("XDG_CACHE_HOME")
    try:
        path = Path(given) if given else Path(home or Path.home() / ".cache") / "tinygrad_poly"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        if hasattr(os, "getuid"):
            if found.st_uid != os.getuid():
                return None
            if stat.S_IMODE(found.st_mode) & 0o077:
                path.chmod(0o700)
        return path if os.access(path, os.W_OK) else None
    except (OSError, RuntimeError):
        return None


def load(source: str, elsewhere: bool = False) -> ModuleType:
    """The module with this source.

    The file is compared with the source before it is imported, and written anew where it differs: a damaged or
    foreign file is never executed.

    Args:
        source: of the module.
        elsewhere: make the module again, in a folder of its own.
    """
    name = f"tinygrad_poly_{hashlib.sha256(source.encode()).hexdigest()[:32]}"
    if name in sys.modules and not elsewhere:
        return sys.modules[name]
    try:
        path = _file(None if elsewhere else folder(), name, source)
    except OSError:  # a full disk, or a folder where the file should be
        path = _file(None, name, source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # The code object is compiled from the source at hand, not from a .pyc that may lie beside it.
    exec(compile(source, str(path), "exec"), module.__dict__)
    sys.modules[name] = module
    return module


def _file(place: Path | None, name: str, source: str) -> Path:
    """The file with this source, in a temporary folder if there is no place for it."""
    path = (place or Path(tempfile.mkdtemp(prefix="tinygrad_poly_"))) / f"{name}.py"
    # Numba looks at the file's time stamp: one that is right already must not be touched.
    if path.is_symlink() or not path.is_file() or path.read_bytes() != source.encode():
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_bytes(source.encode())
        os.replace(unfinished, path)
    return path
