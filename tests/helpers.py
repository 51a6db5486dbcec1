"""What several test files share: numbers that both libraries get, and how their answers are compared."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings

import tinygrad_poly as tg
from tinygrad_poly.engine.walk import Node


def examples(few: int) -> int:
    """How many examples Hypothesis draws: so few in `make test`, five times as many in `make test-all`."""
    return few * settings.default.max_examples // settings.get_profile("default").max_examples


DTYPES = ("float32", "float64")
# The same test on this library and on torch: the names mean the same.
both = pytest.mark.parametrize("m", [tg, torch], ids=["tinygrad_poly", "torch"])
UNIT_ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}


def halves(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Multiples of ½ in [-2, 2]: sums and products of a few of them are exact, in float32 too."""
    return np.asarray(rng.integers(-4, 5, shape) / 2)


def positive_halves(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Multiples of ½ in [½, 4]."""
    return np.asarray(rng.integers(1, 9, shape) / 2)


def powers_of_two(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """±¼ … ±4: dividing by them is exact."""
    return np.asarray(np.exp2(rng.integers(-2, 3, shape)) * rng.choice([-1.0, 1.0], shape))


def cotangent(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Whole numbers from ±1 to ±5, never all ones: a cotangent of ones cannot see a transposed gradient."""
    return np.asarray(rng.integers(1, 6, shape) * rng.choice([-1.0, 1.0], shape))


def ours(array: np.ndarray[Any, Any], dtype: str, requires_grad: bool = True) -> tg.Tensor:
    return tg.tensor(np.asarray(array, dtype), requires_grad=requires_grad)


def theirs(array: np.ndarray[Any, Any], dtype: str, requires_grad: bool = True) -> torch.Tensor:
    return torch.tensor(np.asarray(array, dtype), requires_grad=requires_grad)


@contextmanager
def nothing_left_for_the_garbage_collector() -> Iterator[None]:
    """Check that no tensor and no node inside is left in a reference cycle; what other libraries leave is theirs."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        assert not [x for x in gc.garbage if isinstance(x, tg.Tensor | Node)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def leaf(m: Any, data: Any) -> Any:
    """A tensor of either library that requires grad."""
    return m.tensor(data, requires_grad=True)


def numbers(tensor: Any) -> np.ndarray[Any, Any]:
    """The numbers of a tensor of either library."""
    return np.asarray(tensor.detach().numpy())


def dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def assert_like(mine: Any, reference: Any) -> None:
    """Equal shape, dtype and numbers, bit for bit apart from the sign of zero."""
    assert tuple(mine.shape) == tuple(reference.shape)
    assert dtype_name(mine) == dtype_name(reference)
    np.testing.assert_array_equal(numbers(mine), numbers(reference))


def reduced_to(shape: tuple[int, ...], array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`array` summed over the axes along which something of `shape` was repeated to it."""
    array = array.sum(tuple(range(array.ndim - len(shape))))
    repeated = tuple(i for i, length in enumerate(shape) if length == 1 and array.shape[i] != 1)
    return np.asarray(array.sum(repeated, keepdims=True))


def label(value):
    """`value` as the id of a test: without addresses in memory, which differ between the processes of one run."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
