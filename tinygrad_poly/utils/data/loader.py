"""The loader: a data set in batches, shuffled for a seed as torch does."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, Generic

import numpy as np

from tinygrad_poly.creation import tensor
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions import stack
from tinygrad_poly.random import Generator
from tinygrad_poly.tensor import Tensor
from tinygrad_poly.utils.data.samplers import BatchSampler, RandomSampler, SequentialSampler, T_co, new_seed


def _rebuilt(like: Any, items: Any) -> Any:
    """A container like another one, with other items: a tuple as a list, as in torch, unless it has names."""
    if isinstance(like, (Mapping, MutableSequence)):
        try:
            made: Any = copy.copy(like)
            if isinstance(made, MutableMapping):
                made.update(items)
            else:
                made[:] = items
            return made
        except TypeError:
            return dict(items) if isinstance(like, Mapping) else list(items)
    return type(like)(*items) if hasattr(like, "_fields") else list(items)


def default_collate(batch: Sequence[Any]) -> Any:
    """The elements of a batch as one: tensors and arrays stacked, numbers in a tensor, containers element by element.

    Raises:
        DtypeError: for what makes no batch.
        ShapeError: for lists of several lengths.

    >>> default_collate([(tensor([1.0]), 0), (tensor([2.0]), 1)])
    [tensor([[1.],
            [2.]]), tensor([0, 1])]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, (np.ndarray, np.generic)) and first.dtype.kind in "biuf":
        return tensor(np.stack(batch))
    if isinstance(first, (float, int)):
        return tensor(batch, dtype=np.float64) if isinstance(first, float) else tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _rebuilt(first, {key: default_collate([item[key] for item in batch]) for key in first})
    if isinstance(first, Sequence):
        if len(lengths := {len(item) for item in batch}) > 1:
            raise ShapeError(f"default_collate: the elements of a batch have different lengths, {sorted(lengths)}")
        return _rebuilt(first, [default_collate(column) for column in zip(*batch, strict=True)])
    raise DtypeError(
        "default_collate makes batches of tensors, numeric arrays, numbers, texts, dicts and lists, not of "
        f"{type(first).__name__}: give the DataLoader a collate_fn"
    )


def default_convert(data: Any) -> Any:
    """The arrays in an element as tensors, where no batches are made.

    >>> import numpy as np
    >>> default_convert({"x": np.array([1, 2])})
    {'x': tensor([1, 2])}
    """
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind in "biuf":
        return tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(item) for key, item in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt(data, [default_convert(item) for item in data])
    return data


class DataLoader(Generic[T_co]):
    """The elements of a data set in batches.

    Args:
        dataset: what has a length and gives an element for each index.
        batch_size: how many elements a batch has; None for single elements.
        shuffle: whether each pass takes them in another random order.
        sampler: the indices to take, instead of `shuffle`.
        batch_sampler: the lists of indices to take.
        num_workers: 0; there is one process here.
        collate_fn: what makes a batch of a list of elements, `default_collate` if not given.
        pin_memory: has no effect here.
        drop_last: whether to leave out a last batch that is smaller.
        generator: where random numbers come from, that of `manual_seed` if not given.
        torchs: torch's options for workers, such as `timeout`, which have to ask for nothing; `worker_init_fn` is never
            called.

    Raises:
        ValueError: for options that do not go together, and for those that ask for other processes.

    >>> [batch.tolist() for batch in DataLoader(range(5), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
        **torchs: Any,
    ) -> None:
        for name, value in {"num_workers": num_workers, **torchs}.items():
            if name not in WORKERS + WITHOUT_EFFECT:
                raise DtypeError(f"DataLoader() got an unexpected keyword argument {name!r}")
            if value and name in WORKERS:
                raise ValueError(f"{name}={value!r} asks for other processes, and there is one here: leave it out")
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise DtypeError(f"a data set has __len__ and __getitem__, and {type(dataset).__name__} does not")
        if sampler is not None and shuffle:
            raise ValueError("a sampler says in which order elements come, so shuffle has to be left out")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("with a batch_sampler, batch_size, shuffle, sampler and drop_last have to be left out")
        if batch_size is None and drop_last:
            raise ValueError("without batches (batch_size=None) there is no last one to drop")
        if sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last, self.generator = dataset, batch_size, drop_last, generator
        self.sampler, self.batch_sampler, self.num_workers, self.pin_memory = sampler, batch_sampler, 0, pin_memory
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)

    def __iter__(self) -> Iterator[Any]:
        new_seed(self.generator)  # torch draws a seed for its workers, also without any
        return self._batches()

    def _batches(self) -> Iterator[Any]:
        take = self.dataset.__getitem__
        if self.batch_sampler is None:
            yield from (self.collate_fn(take(i)) for i in self.sampler)
        elif hasattr(self.dataset, "__getitems__"):
            yield from (self.collate_fn(self.dataset.__getitems__(list(some))) for some in self.batch_sampler)
        else:
            yield from (self.collate_fn([take(i) for i in some]) for some in self.batch_sampler)

    def __len__(self) -> int:
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]


WORKERS = ("num_workers", "timeout", "multiprocessing_context", "prefetch_factor", "persistent_workers")
WITHOUT_EFFECT = ("worker_init_fn", "pin_memory_device", "in_order")
