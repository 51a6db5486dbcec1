"""Random numbers: after the same `manual_seed` the same ones as from torch's CPU generator.

A program that seeds its weights prints the same numbers here and in torch. Both draw 32-bit words from
the Mersenne Twister (NumPy's is seeded alike); what follows says how words become numbers.

On a GPU, CuPy's generator draws them where they are needed: other numbers than torch's, and than the CPU's.
"""

import math
import operator
import os
import threading
from typing import Any

import numpy as np

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.creation import made, on_device, sized
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import checked, wrap
from tinygrad_poly.engine.arrays import Array, Shape, as_dtype
from tinygrad_poly.engine.errors import DeviceError, DtypeError, ShapeError
from tinygrad_poly.functions._shared import as_number, broadcast_shape, check_floating, new_shape
from tinygrad_poly.tensor import Tensor

__all__ = ["Generator", "bernoulli", "get_rng_state", "initial_seed", "manual_seed", "multinomial", "normal", "rand"]
__all__ += ["rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "seed", "set_rng_state"]

_STATE = np.dtype(
    "<u8, <i4, <i4, <u8, (624,)<u8, <f8, <f8, <f8, <i4, <i4, <f4, <i4"
)  # torch's: seed, words left, seeded, next word, words, three parts of a spare normal number, whether it is there
_WIDE = 2**28  # where torch begins to take two words for a whole number


class Generator:
    """A stream of random numbers, the same as that of torch's CPU generator for the same seed.

    >>> import tinygrad_poly as tg
    >>> tg.randint(0, 10, (3,), generator=Generator().manual_seed(0))
    tensor([4, 9, 3])
    """

    def __init__(self, device: Any = "cpu") -> None:
        self.device = arrays.device(device)
        if self.device.type != "cpu":
            raise DeviceError(f"Generator() draws on the CPU, not on {self.device}: use cuda.manual_seed()")
        self.lock = threading.Lock()
        self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> "Generator":
        """Start the stream again, at `seed`; returns the generator."""
        self._seed = int(seed) % 2**64
        # NumPy's legacy seeding is the one that fills the state as torch does, from the low 32 bits.
        self._words = np.random.RandomState(self._seed & 0xFFFFFFFF)._bit_generator
        self._second_normal: float | None = None
        return self

    def seed(self) -> int:
        """Start the stream again, at a seed that the system draws; returns the seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed at which the stream was started."""
        return self._seed

    def get_state(self) -> Tensor:
        """The place in the stream, as bytes in torch's layout."""
        words = self._words.state["state"]
        spare = self._second_normal
        fields = (self._seed, 625 - words["pos"], 1, words["pos"], words["key"], 0, spare or 0, 0, spare is not None)
        return wrap(np.array([(*fields, 0, 0, 0)], _STATE).view(np.uint8), None)

    def set_state(self, new_state: Tensor) -> "Generator":
        """Go to a place in the stream that `get_state` returned, here or in torch; returns the generator.

        Raises:
            DtypeError: for what is no such state.
        """
        data = np.asarray(arrays.on_cpu(getattr(new_state, "array", new_state)))
        if data.dtype != np.uint8 or data.shape != (_STATE.itemsize,):
            raise DtypeError(f"a state is a uint8 tensor of {_STATE.itemsize} elements, as from get_state()")
        seed, left, _, _, key, _, spare, _, valid, *_ = data.copy().view(_STATE)[0]
        if not 1 <= left <= 624 or key.max() >= 2**32:
            raise DtypeError("these bytes are no state of a generator; give what get_state() returned")
        self.manual_seed(int(seed))
        state = {"key": key.astype(np.uint32), "pos": 625 - int(left)}
        self._words.state = {"bit_generator": "MT19937", "state": state}
        self._second_normal = float(spare) if valid else None
        return self

    def _draw(self, count: int) -> np.ndarray[Any, Any]:
        words: np.ndarray[Any, Any] = self._words.random_raw(count)
        return words

    def whole(self, count: int, span: int, wide: bool) -> np.ndarray[Any, Any]:
        """`count` whole numbers in [0, span), each of one word or, if `wide`, of two."""
        words = self._draw(count * (1 + wide))
        return ((words[0::2] << np.uint64(32) | words[1::2]) if wide else words) % np.uint64(span)

    def permutation(self, count: int) -> list[int]:
        """The numbers 0, 1, … `count` − 1, shuffled: each place is exchanged with a later one."""
        order = list(range(count))
        wide = count >= (2**32 - 1) // 20
        draws = self.whole(max(count - 1, 0), 2**64 - 1 if wide else 2**32, wide).tolist()
        for i, draw in enumerate(draws):
            j = i + draw % (count - i)
            order[i], order[j] = order[j], order[i]
        return order

    def exponential(self, count: int, dtype: np.dtype[Any], rate: float = 1.0) -> np.ndarray[Any, Any]:
        """`count` numbers of the exponential distribution, −log(1 − u)/rate."""
        return np.asarray(np.log1p(-self.uniform(count, np.dtype(np.float64))) / -rate, dtype)

    def uniform(self, count: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """`count` numbers in [0, 1), each a multiple of 2⁻²⁴ (float32) or 2⁻⁵³ (float64)."""
        if dtype == np.float64:
            words = self._draw(2 * count)
            words, bits = (words[0::2] << np.uint64(32)) | words[1::2], 53
        else:
            words, bits = self._draw(count), 24
        return np.asarray((words & np.uint64(2**bits - 1)) * 2.0**-bits, dtype)

    def normal(self, count: int, dtype: np.dtype[Any], mean: float = 0.0, std: float = 1.0) -> np.ndarray[Any, Any]:
        """`count` numbers of the normal distribution, by the Box–Muller transform.

        Two uniform numbers u, v give two normal ones: √(−2 log(1 − u)) times cos 2πv and sin 2πv.
        """
        if count < 16:
            return np.array([self._one_normal() * std + mean for _ in range(count)]).astype(dtype)
        # Blocks of sixteen, the first eight numbers as u and the others as v; a ragged end is drawn anew.
        uniform = self.uniform(count, dtype)
        blocks = self._box_muller(uniform[: count - count % 16].reshape(-1, 2, 8)).ravel()
        if count % 16:
            last = self._box_muller(self.uniform(16, dtype).reshape(1, 2, 8)).ravel()
            blocks = np.concatenate([blocks[: count - 16], last])
        scaled: np.ndarray[Any, Any] = _scaled(blocks, mean, std)
        return scaled

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
        _generator = Generator()
        _generator.seed()
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
        generator.manual_seed(seed)
    seed_devices(seed)
    return generator


def seed() -> int:
    """Set the seed of all random numbers to one that the system draws; returns it."""
    number = default_generator().seed()
    seed_devices(number)
    return number


def initial_seed() -> int:
    """The seed of the random numbers on the CPU."""
    return default_generator().initial_seed()


def get_rng_state() -> Tensor:
    """The place in the stream of random numbers on the CPU."""
    return default_generator().get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Go to a place in the stream of random numbers on the CPU that `get_rng_state` returned."""
    default_generator().set_state(new_state)


def drawn(kind: str, shape: Shape, generator: Generator | None, *options: Any) -> Any:
    """Numbers from a method of a generator, without one from the default generator, in `shape`."""
    if generator is not None and not isinstance(generator, Generator):
        raise DtypeError(f"generator= expects a Generator, not {type(generator).__name__}")
    source = generator or default_generator()
    with source.lock:
        return np.reshape(getattr(source, kind)(math.prod(shape), *options), shape)


def _random(kind: str, shape: Shape, dtype: Any, device: Any, requires_grad: bool, generator: Any, *o: Any) -> Tensor:
    dtype = arrays.get_default_dtype() if dtype is None else as_dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise DtypeError(f"random numbers come in float32 and float64, not {dtype}")
    return on_device(_numbers, device, requires_grad, kind, shape, dtype, generator, *o)


def _numbers(xp: Any, kind: str, shape: Shape, dtype: np.dtype[Any], generator: Any, *options: float) -> Array:
    if xp is np:
        return drawn(kind, shape, generator, dtype, *options)
    generator = _of_current_device(xp)
    if kind == "uniform":
        return generator.random(shape, dtype)
    return _scaled(generator.standard_normal(shape, dtype), *options)


def _scaled(numbers: Array, start: float = 0.0, scale: float = 1.0) -> Array:
    if (start, scale) == (0, 1):
        return numbers
    kind = numbers.dtype.type
    return arrays.library(numbers).multiply_add(kind(scale), numbers, kind(start), numbers.dtype)


@sized
def rand(
    *size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Random numbers, uniformly distributed in [0, 1).

    >>> rand(2, 3).shape
    torch.Size([2, 3])
    """
    return _random("uniform", new_shape(size), dtype, device, requires_grad, generator)


@sized
def randn(
    *size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Random numbers with the standard normal distribution (mean 0, variance 1).

    >>> randn(()).shape
    torch.Size([])
    """
    return _random("normal", new_shape(size), dtype, device, requires_grad, generator)


def rand_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Any = None
) -> Tensor:
    """Uniform random numbers in [0, 1), in the shape and dtype of another tensor and on its device.

    >>> rand_like(tensor([1.0, 2.0])).shape
    torch.Size([2])
    """
    place = device or input.device
    return _random("uniform", input.shape, dtype or input.dtype, place, requires_grad, generator)


def randn_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Any = None
) -> Tensor:
    """Standard normal random numbers, in the shape and dtype of another tensor and on its device.

    >>> randn_like(tensor([1.0, 2.0])).dtype
    torch.float32
    """
    return _random("normal", input.shape, dtype or input.dtype, device or input.device, requires_grad, generator)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Any = None,
    dtype: Any = np.int64,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random whole numbers, `low` (by default 0) ≤ n < `high`: `randint(10, (3,))` or `randint(5, 10, (3,))`.

    They are drawn on the CPU, and moved to `device`.

    Raises:
        ValueError: where there is no number in between.
        DtypeError: where `dtype` cannot hold them.

    >>> randint(0, 2, (2, 3)).shape
    torch.Size([2, 3])
    """
    if size is None:
        high, size = None, high
    if high is None:
        low, high = 0, low
    if size is None:
        raise ShapeError("randint() needs a size: randint(10, (2, 3))")
    return made(_whole(low, high, new_shape((size,)), as_dtype(dtype), generator), None, device, requires_grad)


def _whole(low: Any, high: Any, shape: Shape, dtype: np.dtype[Any], generator: Any, wide: bool | None = None) -> Any:
    low, high = operator.index(low), operator.index(high)
    if low >= high:
        raise ValueError(f"random whole numbers need low < high, not {low} and {high}")
    limits: Any = np.iinfo(dtype) if dtype.kind in "iu" else None
    if (dtype.kind == "b" and not 0 <= low < high <= 2) or (limits and not limits.min <= low < high <= limits.max + 1):
        raise DtypeError(f"random whole numbers from {low} to {high - 1} do not fit into {dtype}")
    found = drawn("whole", shape, generator, high - low, high - low >= _WIDE if wide is None else wide)
    return (found.astype(np.int64) + low).astype(dtype)


def randint_like(
    input: Tensor, low: int, high: Any = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Random whole numbers, `low` (by default 0) ≤ n < `high`, in the shape, dtype and place of another tensor.

    >>> randint_like(tensor([1.0, 2.0]), 3, 4)
    tensor([3., 3.])
    """
    low, high = (0, low) if high is None else (low, high)
    place = device or input.device
    return randint(low, high, input.shape, dtype=dtype or input.dtype, device=place, requires_grad=requires_grad)


def randperm(
    n: int, *, generator: Any = None, dtype: Any = np.int64, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers 0, 1, … n − 1 in random order; drawn on the CPU.

    Raises:
        ShapeError: for a negative n.

    >>> randperm(1)
    tensor([0])
    """
    order = drawn("permutation", new_shape((n,)), generator)
    return made(order.astype(as_dtype(dtype)), None, device, requires_grad)


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Normally distributed random numbers, of one mean and deviation and a `size`, or as tensors give them.

    Raises:
        ValueError: for a negative `std`.
        ShapeError: where numbers come without a size.

    >>> normal(tensor([1.0, 2.0]), 0.0)
    tensor([1., 2.])
    """
    given = [x for x in (mean, std) if isinstance(x, Tensor)]
    for x in given:
        check_floating(x, "normal")
    if not given:
        if size is None:
            raise ShapeError("normal() of two numbers needs a size: normal(0.0, 1.0, size=(2, 3))")
        return _normal(new_shape((size,)), mean, std, dtype, device, requires_grad, generator)
    shape = broadcast_shape([x.shape for x in given], "normal")
    kind, place = np.result_type(*[x.array.dtype for x in given]), given[0].device
    if isinstance(std, Tensor) and not bool((std >= 0).all()):
        raise ValueError("normal() expects a std of 0 or more in each element")
    numbers = _normal(shape, 0.0, 1.0 if isinstance(std, Tensor) else std, kind, place, False, generator)
    scaled = numbers * std.detach() if isinstance(std, Tensor) else numbers
    return scaled + (mean.detach() if isinstance(mean, Tensor) else mean)


def _normal(shape: Shape, mean: Any, std: Any, dtype: Any, device: Any, requires_grad: bool, generator: Any) -> Tensor:
    mean, std = as_number(mean, "normal", "mean"), as_number(std, "normal", "std")
    if not std >= 0:
        raise ValueError(f"normal numbers have a std of 0 or more, not {std}")
    return _random("normal", shape, dtype, device, requires_grad, generator, mean, std)


def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None) -> Tensor:
    """Ones with the probabilities in `input`, or with the probability p, and zeros; drawn on the CPU.

    Raises:
        ValueError: for what is no probability.

    >>> bernoulli(tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    if p is None:
        check_floating(checked(input, "bernoulli"), "bernoulli")
    return bernoulli_like(input, input if p is None else p, generator)


def bernoulli_like(input: Tensor, p: Any, generator: Any = None) -> Tensor:
    """The numbers that `input.bernoulli_(p)` writes: ones with probability p, a number or a tensor, and zeros."""
    chances = np.asarray(arrays.on_cpu(p.array)) if isinstance(p, Tensor) else np.float64(p)
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("bernoulli() expects probabilities, from 0 to 1")
    ones = drawn("uniform", input.shape, generator, chances.dtype) < chances
    return made(ones.astype(as_dtype(input.dtype)), None, input.device, False)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
    """Random indices, each as probable as its weight in `input`, or in each row of it; drawn on the CPU.

    Raises:
        ValueError: for weights that are negative, not finite or all 0.
        ShapeError: for more than there are without `replacement`, and for more than two dimensions.

    >>> multinomial(tensor([0.0, 1.0]), 3, replacement=True)
    tensor([1, 1, 1])
    """
    check_floating(checked(input, "multinomial"), "multinomial")
    weights = np.asarray(arrays.on_cpu(input.array))
    if weights.ndim not in (1, 2) or not 0 < num_samples <= (math.inf if replacement else weights.shape[-1]):
        raise ShapeError(
            f"multinomial() draws 1 or more from a vector or from rows, without replacement no more than there are, "
            f"not {num_samples} of shape {input.shape}"
        )
    totals = np.cumsum(weights, -1)
    if not (weights >= 0).all() or not np.isfinite(weights).all() or not (totals[..., -1] > 0).all():
        raise ValueError("multinomial() expects weights of 0 or more, finite, and not all 0 in a row")
    if not replacement or num_samples == 1:
        with np.errstate(divide="ignore"):
            races = weights / drawn("exponential", weights.shape, generator, weights.dtype)
        found = np.argsort(-races, -1, kind="stable")[..., :num_samples]
    else:
        rows = (totals / totals[..., -1:]).reshape(-1, weights.shape[-1]).astype(np.float64)
        draws = drawn("uniform", (len(rows), num_samples), generator, np.dtype(np.float64))
        found = np.array([np.searchsorted(row, draw) for row, draw in zip(rows, draws)])
    return made(found.reshape(*weights.shape[:-1], num_samples).astype(np.int64), None, input.device, False)


def uniform_like(input: Tensor, low: float, high: float, generator: Any = None) -> Tensor:
    """The numbers that `input.uniform_(low, high)` writes into it.

    Raises:
        ValueError: where `high` is below `low`.

    >>> uniform_like(tensor([1.0, 2.0]), 3.0, 3.0)
    tensor([3., 3.])
    """
    if not low <= high:
        raise ValueError(f"uniform_() expects from ≤ to, not {low} and {high}")
    return wrap(_scaled(rand_like(input, generator=generator).array, low, high - low), None)


def normal_like(input: Tensor, mean: float, std: float, generator: Any = None) -> Tensor:
    """The numbers that `input.normal_(mean, std)` writes into it.

    Raises:
        ValueError: for a negative `std`.

    >>> normal_like(tensor([1.0, 2.0]), 3.0, 0.0)
    tensor([3., 3.])
    """
    return _normal(input.shape, mean, std, input.dtype, input.device, False, generator)


def exponential_like(input: Tensor, rate: float, generator: Any = None) -> Tensor:
    """The numbers that `input.exponential_(rate)` writes into it.

    Raises:
        ValueError: for a `rate` of 0 or less.
    """
    check_floating(input, "exponential_")
    if not rate > 0:
        raise ValueError(f"exponential_() expects a rate above 0, not {rate}")
    return made(drawn("exponential", input.shape, generator, as_dtype(input.dtype), rate), None, input.device, False)


def whole_like(input: Tensor, low: Any, high: Any, generator: Any = None) -> Tensor:
    """The numbers that `input.random_(low, high)` writes: by default all whole numbers ≥ 0 that its dtype holds."""
    dtype, wide = as_dtype(input.dtype), None
    if low is None or (low == 0 and high is None):
        bits = np.finfo(dtype).nmant + 1 if dtype.kind == "f" else 1
        high = 2**bits + 1 if dtype.kind == "f" else 2 if dtype.kind == "b" else int(np.iinfo(dtype).max) + 1
        low, wide = 0, dtype.itemsize == 8
    elif high is None:
        low, high = 0, low
    return made(_whole(low, high, input.shape, dtype, generator, wide), None, input.device, False)


_explain(__name__)
