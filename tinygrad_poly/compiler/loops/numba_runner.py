"""Running a training loop's source with Numba."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops import cache as sources

OLDEST = (0, 60)
"""The first Numba that knows NumPy 2."""

# Sums may be taken in another order, which is what makes them fast, and −0 may be 0. But NaN and infinity are what
# they are: a fit that diverges has to be seen.
FASTMATH = '{"reassoc", "nsz", "contract"}'

_OPTIONS = f'cache=True, nogil=True, fastmath={FASTMATH}, error_model="numpy"'
_NJIT = f"numba.njit({_OPTIONS})"
HEADER = f"""\
import numba
import numpy as np


@{_NJIT}
"""
HEADER_OF_SEVERAL = f"""\
import numba
import numpy as np

njit = {_NJIT}
njit_parallel = numba.njit(parallel=True, {_OPTIONS})


"""


@cache
def available() -> bool:
    """Whether a Numba is installed that can be used; says once why not."""
    try:
        import numba
    except ImportError as error:
        warnings.warn(
            "Numba is not installed or does not work here, so the compiled program runs on NumPy, several times "
            f"slower: pip install 'tinygrad_poly[compile]' ({error})",
            stacklevel=2,
        )
        return False
    version = tuple(int(part) for part in numba.__version__.split(".")[:2])
    if version < OLDEST:
        warnings.warn(
            f"Numba {numba.__version__} is too old, {OLDEST[0]}.{OLDEST[1]} is needed; the compiled program runs on "
            "NumPy",
            stacklevel=2,
        )
        return False
    return True


def compiled(source: str) -> Callable[..., tuple[Any, ...]]:
    """The function `run` of a source, compiled by Numba when it is first called.

    Where the source has several functions, those that are marked are compiled, and `run` is Python if it is not.
    """
    from numba.core.errors import NumbaError

    source = (HEADER_OF_SEVERAL if source.startswith("@njit") else HEADER) + source
    run: Callable[..., tuple[Any, ...]] = sources.load(source).run
    called = False

    def call(*arguments: Any) -> tuple[Any, ...]:
        nonlocal run, called
        if called:
            return run(*arguments)
        try:
            results = run(*arguments)
        except NumbaError:
            raise
        except Exception:
            # Numba does not get over a damaged file of its own beside the source: it gets another folder, once.
            called = True
            run = sources.load(source, elsewhere=True).run
            results = run(*arguments)
        called = True
        return results

    return call


def arguments(arrays: Sequence[Any]) -> list[Any]:
    """Arrays as the source takes them: those with one element as numbers, the others contiguous."""
    return [a.reshape(-1)[0] if a.size == 1 else np.ascontiguousarray(a) for a in map(np.asarray, arrays)]
