"""Batches are torch's: the same elements in the same order for a seed, collated alike; and what is refused."""

import importlib
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
import torch.utils.data

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.random import Generator

from ..helpers import both


def tools(m):
    return importlib.import_module(f"{m.__name__}.utils.data")


def generator(m, seed):
    return Generator().manual_seed(seed) if m is tg else torch.Generator().manual_seed(seed)


def plain(value):
    """The numbers, dtypes and containers of a batch."""
    if isinstance(value, (tg.Tensor, torch.Tensor)):
        return str(value.dtype).removeprefix("torch."), tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return type(value), [(key, plain(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [plain(item) for item in value]
    return value


@pytest.mark.parametrize("own", [False, True], ids=["default", "generator"])
@pytest.mark.parametrize("size", [1, 2, 5, 32, 100])
@pytest.mark.parametrize("seed", [0, 1, 2**33 + 7])
def test_shuffled_batches_are_torchs_in_every_epoch(seed, size, own):
    found = []
    for m in (tg, torch):
        m.manual_seed(seed)
        data = tools(m).TensorDataset(m.arange(size), m.rand(size, 2))
        extra = {"generator": generator(m, seed + 1)} if own else {}
        loader = tools(m).DataLoader(data, batch_size=3, shuffle=True, drop_last=size > 50, **extra)
        found.append([plain(batch) for _ in range(3) for batch in loader])
        found[-1] += [len(loader), plain(m.rand(3))]
        first = next(iter(loader))[0]
        found[-1] += [plain(first), plain(m.rand(2))]
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", range(3))
def test_samplers_and_splits_are_torchs(seed):
    found = []
    for m in (tg, torch):
        data = tools(m)
        m.manual_seed(seed)
        own = generator(m, seed)
        samplers = [
            data.SequentialSampler(range(4)),
            data.RandomSampler(range(10)),
            data.RandomSampler(range(10), num_samples=23),
            data.RandomSampler(range(10), num_samples=20, generator=own),
            data.RandomSampler(range(10), generator=own),
            data.RandomSampler(range(7), replacement=True, num_samples=70, generator=own),
            data.RandomSampler(range(7), replacement=True, num_samples=32),
            data.SubsetRandomSampler([3, 5, 8, 2], own),
            data.WeightedRandomSampler([0.1, 0.0, 3.0, 2.0], 20),
            data.WeightedRandomSampler([1, 2, 3], 5, generator=own),
            data.BatchSampler(data.RandomSampler(range(7)), 3, False),
            data.BatchSampler(range(7), 3, True),
        ]
        orders = [(len(s), list(s), list(s)) for s in samplers]
        splits = [
            *data.random_split(range(10), [7, 3]),
            *data.random_split(range(11), [0.5, 0.25, 0.25], generator=own),
        ]
        found.append((orders, [list(part.indices) for part in splits], plain(m.rand(2))))
    assert found[0] == found[1]


def test_sampling_without_replacement_takes_each_as_often_as_its_weight_says():
    tg.manual_seed(0)
    sampler = tools(tg).WeightedRandomSampler([1.0, 0.0, 3.0, 4.0], 2, replacement=False)
    drawn = [list(sampler) for _ in range(2000)]
    assert all(len(set(pair)) == 2 and 1 not in pair for pair in drawn)
    counts = np.bincount([pair[0] for pair in drawn], minlength=4) / 2000
    # Five standard deviations √(p (1 − p)/n) of a proportion.
    assert np.all(abs(counts - [0.125, 0, 0.375, 0.5]) <= 5 * np.sqrt(0.25 / 2000))


Point = namedtuple("Point", "x y")
ELEMENTS = [
    lambda m, i: m.tensor([1.0, i]),
    lambda m, i: i,
    lambda m, i: float(i),
    lambda m, i: i > 1,
    lambda m, i: "abc"[i],
    lambda m, i: np.array([1.0, i], np.float32),
    lambda m, i: np.float32(i),
    lambda m, i: np.float64(i),
    lambda m, i: np.int32(i),
    lambda m, i: (m.tensor(i), i),
    lambda m, i: [m.tensor([i]), "x", 0.5],
    lambda m, i: {"a": i, "b": [m.tensor(1.0), np.ones(2)]},
    lambda m, i: OrderedDict(z=i, a=0.5),
    lambda m, i: Point(i, (1.0, "t")),
]


@pytest.mark.parametrize("element", ELEMENTS, ids=range(len(ELEMENTS)))
def test_elements_are_collated_and_converted_as_in_torch(element):
    found = []
    for m in (tg, torch):
        data = tools(m)
        batch = [element(m, i) for i in range(3)]
        found.append((plain(data.default_collate(batch)), plain(data.default_convert(batch[1]))))
        found[-1] += tuple(plain(x) for size in (2, None) for x in data.DataLoader(batch, batch_size=size))
    assert found[0] == found[1]


@both
def test_data_sets_of_ones_own(m):
    data = tools(m)

    class Squares(data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            if i >= 4:
                raise IndexError(i)
            return m.tensor(float(i)), i * i

    class Fetching(Squares):
        def __getitems__(self, indices):
            return [(-i, "all at once") for i in indices]

    assert [plain(b) for b in data.DataLoader(Squares(), 3)][1] == (
        list, [("float32", (1,), [3.0]), ("int64", (1,), [9])]
    )  # fmt: skip
    assert plain(next(iter(data.DataLoader(Fetching(), 2)))[0])[2] == [0, -1]
    both_sets = Squares() + data.Subset(Squares(), [2, 0])
    assert [both_sets[i][1] for i in (0, 3, 4, 5, -1, -6)] == [0, 9, 4, 0, 0, 0]
    assert len(both_sets) == 6
    own = data.DataLoader(Squares(), batch_sampler=[[3, 1], [0]], collate_fn=lambda rows: [y for _, y in rows])
    assert list(own) == [[9, 1], [0]]
    assert [y for _, y in data.DataLoader(Squares(), batch_size=None, sampler=[2, 1])] == [4, 1]
    with pytest.raises(NotImplementedError):
        data.Dataset()[0]
    with pytest.raises((IndexError, ValueError)):
        both_sets[-7]


@both
def test_options_that_ask_for_nothing_are_taken(m):
    data = tools(m)
    options = {"num_workers": 0, "timeout": 0, "worker_init_fn": print, "persistent_workers": False, "in_order": True}
    loader = data.DataLoader(range(4), 2, prefetch_factor=None, multiprocessing_context=None, **options)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3]]


@both
@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": True, "sampler": [1]},
        {"batch_sampler": [[1]], "batch_size": 3},
        {"batch_size": None, "drop_last": True},
        {"batch_size": 0},
        {"batch_size": True},
    ],
    ids=str,
)
def test_options_that_exclude_each_other_are_refused(m, options):
    with pytest.raises(ValueError, match=r"batch|sampler|drop_last"):
        tools(m).DataLoader(range(4), **options)


def test_refusals_say_what_is_wrong():
    data = tools(tg)
    for make, error, message in (
        (lambda: data.DataLoader([1], num_workers=2), ValueError, "num_workers=2 asks for other processes"),
        (lambda: data.DataLoader([1], persistent_workers=True), ValueError, "persistent_workers=True asks for"),
        (lambda: data.DataLoader([1], shufle=True), DtypeError, "unexpected keyword argument 'shufle'"),
        (lambda: data.DataLoader(iter([1])), DtypeError, "__len__ and __getitem__, and list_iterator does not"),
        (lambda: data.DataLoader([], shuffle=True), ValueError, "num_samples must be a whole number of 1 or more"),
        (lambda: data.RandomSampler([1], replacement=1), DtypeError, "True or False, not 1"),
        (lambda: data.TensorDataset(tg.zeros(2), tg.zeros(3)), ShapeError, r"shapes \(2,\), \(3,\)"),
        (lambda: data.ConcatDataset([]), ValueError, "at least one data set"),
        (lambda: data.random_split(range(3), [1, 1]), ValueError, r"\[1, 1\] do not add up to the 3 elements"),
        (lambda: data.random_split(range(3), [1.5, -0.5]), ValueError, "from 0 to 1"),
        (lambda: data.default_collate([[1], [1, 2]]), ShapeError, r"different lengths, \[1, 2\]"),
        (lambda: data.default_collate([object()]), DtypeError, "not of object: give the DataLoader a collate_fn"),
        (lambda: data.WeightedRandomSampler([[1.0]], 1), ShapeError, r"shape \(1, 1\)"),
        (lambda: data.WeightedRandomSampler([-1.0, 2.0], 1), ValueError, "must be 0 or more"),
        (lambda: data.WeightedRandomSampler([0.0, 2.0], 2, replacement=False), ValueError, "for 2 samples"),
    ):
        with pytest.raises(error, match=message):
            make()
    with pytest.warns(UserWarning, match="of 2 elements, part 2 gets none"):
        data.random_split(range(2), [0.4, 0.4, 0.2])
