"""Samplers: in which order the elements of a data set come, for the same seed the order in torch."""

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.random import Generator, drawn, multinomial

T_co = TypeVar("T_co", covariant=True)


def words(count: int, generator: Generator | None) -> list[int]:
    """The next 32-bit words of a generator, or of that of `manual_seed`."""
    return drawn("_draw", (count,), generator).tolist()  # type: ignore[no-any-return]


def new_seed(generator: Generator | None = None) -> int:
    """A random integer below 2⁶³."""
    high, low = words(2, generator)
    return (high << 32 | low) & (2**63 - 1)


def permutation(n: int, generator: Generator | None = None) -> list[int]:
    """The numbers from 0 to n − 1 in random order."""
    return drawn("permutation", (n,), generator).tolist()  # type: ignore[no-any-return]


def check_count(value: Any, name: str) -> int:
    """The value, if it is a whole number of 1 or more.

    Raises:
        ValueError: for anything else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number of 1 or more, not {value!r}")
    return value


class Sampler(Generic[T_co]):
    """The base of samplers, which are iterated for indices, or for lists of them, one for each batch."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")


class SequentialSampler(Sampler[int]):
    """The indices of a data set in order.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The indices of a data set in random order, or `num_samples` of them, with `replacement` each time out of all.

    Raises:
        ValueError: for no samples.

    >>> sorted(RandomSampler("abc"))
    [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise DtypeError(f"replacement must be True or False, not {replacement!r}")
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self.num_samples = check_count(len(data_source) if num_samples is None else num_samples, "num_samples")

    def __iter__(self) -> Iterator[int]:
        n, left = len(self.data_source), self.num_samples
        generator = Generator().manual_seed(new_seed()) if self.generator is None else self.generator
        while left > 0:
            some = [w % n for w in words(min(32, left), generator)] if self.replacement else permutation(n, generator)
            yield from some[:left]
            left -= len(some)
        if not self.replacement and left == 0:
            permutation(n, generator)  # torch draws this one too, and takes nothing of it

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """These indices in random order.

    >>> sorted(SubsetRandomSampler([2, 3, 5]))
    [2, 3, 5]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in permutation(len(self.indices), self.generator))

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Random indices, each as likely as its weight says.

    With replacement the indices are torch's for the same seed; without it, and for a single one, torch's depend on
    how it was built.

    Raises:
        ValueError: for no samples, and for weights that are no list of numbers from 0 on, of which enough are above 0.

    >>> list(WeightedRandomSampler([0.0, 1.0], 3))
    [1, 1, 1]
    """

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        self.weights = np.asarray(weights, np.float64)
        self.num_samples, self.replacement = check_count(num_samples, "num_samples"), replacement
        self.generator = generator
        if self.weights.ndim != 1:
            raise ShapeError(f"weights must be a list of numbers, and these have shape {self.weights.shape}")
        enough = np.count_nonzero(self.weights) >= (1 if replacement else num_samples)
        if not (enough and np.isfinite(self.weights).all() and (self.weights >= 0).all()):
            raise ValueError(f"weights must be 0 or more, and enough of them above 0 for {num_samples} samples")

    def __iter__(self) -> Iterator[int]:
        weights = wrap(self.weights, None)
        return iter(multinomial(weights, self.num_samples, self.replacement, generator=self.generator).tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of a sampler, `batch_size` at a time; with `drop_last`, without a last batch that is smaller.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler, self.batch_size, self.drop_last = sampler, check_count(batch_size, "batch_size"), drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count: int = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
