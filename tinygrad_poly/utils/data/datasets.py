"""Data sets: what has a length and gives an element for each index."""

import itertools
import math
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Generic

from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.random import Generator
from tinygrad_poly.tensor import Tensor
from tinygrad_poly.utils.data.samplers import T_co, permutation


class Dataset(Generic[T_co]):
    """The base of data sets; a subclass defines `__getitem__` and `__len__`."""

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__()")

    def __add__(self, other: "Dataset[T_co]") -> "ConcatDataset[T_co]":
        return ConcatDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """The rows of several tensors.

    Raises:
        ShapeError: where their numbers of rows differ.

    >>> TensorDataset(tensor([1.0, 2.0]), tensor([[0.5], [1.5]]))[1]
    (tensor(2.), tensor([1.5000]))
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors or any(t.ndim == 0 or len(t) != len(tensors[0]) for t in tensors):
            shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
            raise ShapeError(f"TensorDataset needs tensors with one number of rows, not with the shapes {shapes}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset[T_co]):
    """The elements of a data set at these indices.

    >>> Subset("abcd", [3, 0])[1]
    'a'
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, idx: Any) -> Any:
        return self.dataset[[self.indices[i] for i in idx] if isinstance(idx, list) else self.indices[idx]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[T_co]):
    """The elements of several data sets, one set after the other.

    >>> ConcatDataset(["ab", "cd"])[2]
    'c'
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset needs at least one data set, and was given none")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __getitem__(self, idx: int) -> T_co:
        place = idx + len(self) if idx < 0 else idx
        if not 0 <= place < len(self):
            raise IndexError(f"index {idx} is out of range for {len(self)} elements")
        i = bisect_right(self.cumulative_sizes, place)
        found: T_co = self.datasets[i][place - (self.cumulative_sizes[i - 1] if i else 0)]
        return found

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset[Any]]:
    """Parts of a data set, taken at random, with these lengths, or with these fractions of all elements.

    Raises:
        ValueError: where the lengths do not add up to that of the data set.

    >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
    [8, 2]
    """
    n, counts = len(dataset), list(lengths)
    if math.isclose(sum(counts), 1) and sum(counts) <= 1:
        if not all(0 <= part <= 1 for part in counts):
            raise ValueError(f"fractions must be from 0 to 1, not {counts}")
        counts = [math.floor(n * part) for part in counts]
        for i in range(n - int(sum(counts))):
            counts[i % len(counts)] += 1
        if 0 in counts:
            warnings.warn(f"of {n} elements, part {counts.index(0)} gets none", UserWarning, stacklevel=2)
    if sum(counts) != n:
        raise ValueError(f"the lengths {counts} do not add up to the {n} elements of the data set")
    order = iter(permutation(n, generator))
    return [Subset(dataset, list(itertools.islice(order, int(count)))) for count in counts]
