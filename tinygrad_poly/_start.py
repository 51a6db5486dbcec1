"""Ctrl-C during start-up: one line and status 130 while the command's modules load, instead of a traceback.

Imported before everything else. In a program that only imports tinygrad_poly it does nothing.
"""

import os
import signal
import sys
from typing import NoReturn


def _interrupted(*_: object) -> NoReturn:
    # Not by an exception: what loads a library in C may turn it into another one, with advice on how to install it.
    os.write(2, b"tinygrad-poly: error: interrupted\n")
    os._exit(130)


def _is_command() -> bool:
    """Whether this process is `tinygrad-poly` or `python -m tinygrad_poly`."""
    name = os.path.basename((sys.argv or [""])[0])
    # While Python looks for the module that -m names, it is called "-m".
    as_module = name == "-m" and ("-m", "tinygrad_poly") in zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
    return as_module or name.startswith("tinygrad-poly")


def over() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _interrupted)
