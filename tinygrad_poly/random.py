"""Random numbers: after the same `manual_seed` the same ones as from torch's CPU generator.

A program that seeds its weights prints the same numbers here and in torch. Both draw 32-bit words from
the Mersenne Twister (NumPy's is seeded alike); what follows says how words become numbers.

On a GPU, CuPy's generator draws them where they are needed: other numbers than torch's, and than the CPU's.
"""

from __future__ import annotations

import math
import os
import threading
from typing import Any

import numpy as np

from tinygrad_poly.creation import on_device
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, Shape, as_dtype
from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.functions._shared import new_shape
from tinygrad_poly.tensor import Tensor


class Generator:
    """A stream of random numbers."""

    def __init__(self, seed: int) -> None:
        self.lock = threading.Lock()
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start the stream again, at `seed`."""
        # NumPy's legacy seeding is the one that fills the state as torch does, from the low 32 bits.
        self._words = np.random.RandomState(seed & 0xFFFFFFFF)._bit_generator
        self._second_normal: float | None = None

    def _draw(self, count: int) -> np.ndarray[Any, Any]:
        words: np.ndarray[Any, Any] = self._words.random_raw(count)
        return words

    def uniform(self, count: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """`count` numbers in [0, 1), each a multiple of 2⁻²⁴ (float32) or 2⁻⁵³ (float64)."""
        if dtype == np.float64:
            words = self._draw(2 * count)
            words, bits = (words[0::2] << np.uint64(32)) | words[1::2], 53
        else:
            words, bits = self._draw(count), 24
        return np.asarray((words & np.uint64(2**bits - 1)) * 2.0**-bits, dtype)

    def normal(self, count: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """`count` numbers of the standard normal distribution, by the Box–Muller transform.

        Two uniform numbers u, v give two normal ones: √(−2 log(1 − u)) times cos 2πv and sin 2πv.
        """
        if count < 16:
            return np.array([self._one_normal() for _ in range(count)]).astype(dtype)
        # Blocks of sixteen, the first eight numbers as u and the others as v; a ragged end is drawn anew.
        uniform = self.uniform(count, dtype)
        blocks = self._box_muller(uniform[: count - count % 16].reshape(-1, 2, 8)).ravel()
        if not count % 16:
            return blocks
        last = self._box_muller(self.uniform(16, dtype).reshape(1, 2, 8)).ravel()
        return np.concatenate([blocks[: count - 16], last]) if count >= 16 else last

    @staticmethod
    def _box_muller(pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        radius = np.sqrt(-2 * np.log(1 - pairs[:, 0]))
        angle = pairs.dtype.type(2 * math.pi) * pairs[:, 1]
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

    def _one_normal(self) -> float:
        if self._second_normal is not None:
            value, self._second_normal = self._second_normal, None
            return value
        angle_part, radius_part = self.uniform(2, np.dtype(np.float64)).tolist()
        radius = math.sqrt(-2.0 * math.log1p(-radius_part))
        angle = 2.0 * math.pi * angle_part
        self._second_normal = radius * math.sin(angle)
        return radius * math.cos(angle)


_generator: Generator | None = None


def default_generator() -> Generator:
    """The generator of `rand` and `randn`, seeded by the system until `manual_seed` is called."""
    # Made when first asked for: importing numpy.random takes several milliseconds.
    global _generator
    if _generator is None:
        _generator = Generator(int.from_bytes(os.urandom(4), "little"))
    return _generator


_device_seed: int | None = None
_device_generators: dict[int, Any] = {}


def seed_devices(seed: int) -> None:
    """Set the seed of the random numbers of all GPUs."""
    global _device_seed
    _device_seed = int(seed) % 2**64
    _device_generators.clear()


def _of_current_device(cupy: Any) -> Any:
    """CuPy's generator on the current GPU, which keeps its state there."""
    number = int(cupy.cuda.Device().id)
    if number not in _device_generators:
        _device_generators[number] = cupy.random.default_rng(_device_seed)
    return _device_generators[number]


def manual_seed(seed: int) -> Generator:
    """Set the seed of all random numbers: on the CPU, torch's numbers for this seed follow.

    >>> import tinygrad_poly as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.rand(2)
    tensor([0.4963, 0.7682])
    """
    generator = default_generator()
    with generator.lock:
        generator.seed(int(seed))
    seed_devices(seed)
    return generator


def _random(kind: str, size: tuple[Any, ...], dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    dtype = arrays.get_default_dtype() if dtype is None else as_dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise DtypeError(f"random numbers come in float32 and float64, not {dtype}")
    shape: Shape = new_shape(size)
    return on_device(_numbers, device, requires_grad, kind, shape, dtype)


def _numbers(xp: Any, kind: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
    if xp is not np:
        generator = _of_current_device(xp)
        return (generator.random if kind == "uniform" else generator.standard_normal)(shape, dtype)
    generator = default_generator()
    with generator.lock:
        return getattr(generator, kind)(math.prod(shape), dtype).reshape(shape)


def rand(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Random numbers, uniformly distributed in [0, 1).

    >>> rand(2, 3).shape
    torch.Size([2, 3])
    """
    return _random("uniform", size, dtype, device, requires_grad)


def randn(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Random numbers with the standard normal distribution (mean 0, variance 1).

    >>> randn(()).shape
    torch.Size([])
    """
    return _random("normal", size, dtype, device, requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Uniform random numbers in [0, 1), in the shape and dtype of another tensor and on its device.

    >>> rand_like(tensor([1.0, 2.0])).shape
    torch.Size([2])
    """
    return rand(*input.shape, dtype=dtype or input.dtype, device=device or input.device)


def randn_like(input: Tensor, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Standard normal random numbers, in the shape and dtype of another tensor and on its device.

    >>> randn_like(tensor([1.0, 2.0])).dtype
    torch.float32
    """
    return randn(*input.shape, dtype=dtype or input.dtype, device=device or input.device)


def uniform_like(input: Tensor, low: float, high: float) -> Tensor:
    """The numbers that `input.uniform_(low, high)` writes into it.

    Raises:
        ValueError: where `high` is below `low`.

    >>> uniform_like(tensor([1.0, 2.0]), 3.0, 3.0)
    tensor([3., 3.])
    """
    if not low <= high:
        raise ValueError(f"uniform_() expects from ≤ to, not {low} and {high}")
    return _between(rand_like(input), low, high - low)


def normal_like(input: Tensor, mean: float, std: float) -> Tensor:
    """The numbers that `input.normal_(mean, std)` writes into it.

    Raises:
        ValueError: for a negative `std`.

    >>> normal_like(tensor([1.0, 2.0]), 3.0, 0.0)
    tensor([3., 3.])
    """
    if not std >= 0:
        raise ValueError(f"normal_() expects a std of 0 or more, not {std}")
    return _between(randn_like(input), mean, std)


def _between(numbers: Tensor, start: float, scale: float) -> Tensor:
    kind = numbers.dtype.type
    multiply_add = arrays.library(numbers.array).multiply_add
    return wrap(multiply_add(kind(scale), numbers.array, kind(start), numbers.dtype), None)
