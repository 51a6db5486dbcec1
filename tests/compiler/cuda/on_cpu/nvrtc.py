"""NVIDIA's compiler for kernels, which needs no GPU to compile for one."""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any


@cache
def library() -> Any:
    """The library NVRTC, or None where it is not installed."""
    places = ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"]
    spec = importlib.util.find_spec("nvidia")
    for folder in spec.submodule_search_locations or () if spec else ():
        places += [str(path) for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.1?"))]
    for place in places:
        try:
            return ctypes.CDLL(place)
        except OSError:
            continue
    return None


def ptx(source: str, architecture: str = "sm_90") -> str:
    """The assembly that NVRTC makes of a source.

    Raises:
        SyntaxError: with the compiler's messages, warnings included: a printed kernel gives none.
    """
    nvrtc = library()
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    options = (ctypes.c_char_p * 2)(b"--std=c++17", f"--gpu-architecture=compute_{architecture[3:]}".encode())
    failed = nvrtc.nvrtcCompileProgram(program, len(options), options)
    log = _text(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
    if failed or log:
        raise SyntaxError(log)
    assembly = _text(program, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return assembly


def _text(program: Any, size: Any, get: Any) -> str:
    length = ctypes.c_size_t()
    size(program, ctypes.byref(length))
    buffer = ctypes.create_string_buffer(length.value)
    get(program, buffer)
    return buffer.value.decode()
