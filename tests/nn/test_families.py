"""Convolution, pooling, normalization, embedding and containers: what they compute, start with, keep and print."""

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError, TraceError

from ..helpers import UNIT_ROUNDOFF, both, cotangent, halves, numbers

# Each with the shape of an input.
LAYERS = {
    "Conv1d": (lambda n: n.Conv1d(2, 4, 3), (2, 2, 6)),
    "Conv1d, groups": (lambda n: n.Conv1d(2, 4, 2, 2, 1, 2, 2, False), (2, 6)),
    "Conv2d": (lambda n: n.Conv2d(2, 4, 3, padding=1), (2, 2, 5, 4)),
    "Conv2d, same": (lambda n: n.Conv2d(2, 4, (3, 1), padding="same", dilation=2), (2, 2, 5, 4)),
    "MaxPool1d": (lambda n: n.MaxPool1d(2), (2, 2, 5)),
    "MaxPool2d": (lambda n: n.MaxPool2d((2, 1), 1, 1 * 0, 1, False, True), (2, 2, 5, 4)),
    "AvgPool1d": (lambda n: n.AvgPool1d(2), (2, 2, 5)),
    "AvgPool2d": (lambda n: n.AvgPool2d(2, stride=(1, 2), padding=1, count_include_pad=False), (2, 2, 5, 4)),
    "AdaptiveAvgPool1d": (lambda n: n.AdaptiveAvgPool1d(3), (2, 2, 5)),
    "AdaptiveAvgPool2d": (lambda n: n.AdaptiveAvgPool2d((3, None)), (2, 2, 5, 4)),
    "AdaptiveMaxPool1d": (lambda n: n.AdaptiveMaxPool1d(2), (2, 2, 5)),
    "AdaptiveMaxPool2d": (lambda n: n.AdaptiveMaxPool2d(2), (2, 2, 5, 4)),
    "BatchNorm1d": (lambda n: n.BatchNorm1d(3), (4, 3)),
    "BatchNorm1d of signals": (lambda n: n.BatchNorm1d(3, momentum=None, affine=False), (2, 3, 4)),
    "BatchNorm2d": (lambda n: n.BatchNorm2d(2, 1e-3, 0.3, bias=False), (2, 2, 3, 2)),
    "BatchNorm2d, not tracking": (lambda n: n.BatchNorm2d(2, track_running_stats=False), (2, 2, 3, 2)),
    "LayerNorm": (lambda n: n.LayerNorm(4), (2, 3, 4)),
    "LayerNorm of matrices": (lambda n: n.LayerNorm((3, 4), bias=False), (2, 3, 4)),
    "LayerNorm without weights": (lambda n: n.LayerNorm([4], elementwise_affine=False), (4,)),
    "GroupNorm": (lambda n: n.GroupNorm(2, 4), (3, 4, 2)),
    "GroupNorm without weights": (lambda n: n.GroupNorm(1, 2, affine=False), (3, 2)),
    "Unflatten": (lambda n: n.Unflatten(1, (2, 3)), (2, 6)),
    "Unflatten the rest": (lambda n: n.Unflatten(-1, (2, -1)), (2, 6)),
}


def trained(m, make, x, v):
    """What the layer prints, computes in training and evaluation, and keeps; with its gradients."""
    m.manual_seed(3)
    layer = make(m.nn)
    found = [m.tensor(x, dtype=m.float64, requires_grad=True)]
    layer.double()
    with m.no_grad():
        for parameter in layer.parameters():  # 0 and 1 would hide what is added and multiplied
            parameter += m.arange(1.0, 1 + parameter.numel()).reshape(parameter.shape) / 4
    for _ in range(2):
        y = layer(found[0])
        y.backward(m.tensor(v(tuple(y.shape))))
        found.append(y)
    found += [layer.eval()(found[0]), found[0].grad, *(p.grad for p in layer.parameters()), *layer.buffers()]
    return repr(layer), list(layer.state_dict()), found[1:]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_keeps_and_prints_what_torchs_does(name):
    make, shape = LAYERS[name]
    x = halves(np.random.default_rng(1), shape)
    v = lambda shape: cotangent(np.random.default_rng(2), shape)  # noqa: E731
    mine, theirs = trained(tg, make, x, v), trained(torch, make, x, v)
    assert mine[:2] == theirs[:2]
    for a, b in zip(mine[2], theirs[2], strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        # Sums of at most 48 terms of at most 20 roundings each, of numbers up to 5 · 5 over a deviation of at least ¼.
        np.testing.assert_allclose(numbers(a), numbers(b), rtol=0, atol=48 * 20 * 100 * UNIT_ROUNDOFF["float64"])


STARTS = {
    "Conv1d": lambda n: n.Conv1d(3, 5, 4, groups=1),
    "Conv2d": lambda n: n.Conv2d(6, 4, (3, 5), groups=2),
    "Conv2d without bias": lambda n: n.Conv2d(1, 16, 3, bias=False),
    "Linear": lambda n: n.Linear(7, 3),
    "BatchNorm2d": lambda n: n.BatchNorm2d(3),
    "LayerNorm": lambda n: n.LayerNorm((2, 3)),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_layer_starts_with_torchs_numbers_for_a_seed(name):
    states = []
    for m in (tg, torch):
        m.manual_seed(5)
        states.append({name: numbers(x) for name, x in STARTS[name](m.nn).state_dict().items()})
    mine, theirs = states
    assert list(mine) == list(theirs)
    for a, b in zip(mine.values(), theirs.values(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_a_table_starts_with_torchs_numbers_for_a_seed():
    for padding in (None, 1, -1):
        tables = []
        for m in (tg, torch):
            m.manual_seed(5)
            tables.append(m.nn.Embedding(3, 4, padding_idx=padding, dtype=m.float64))
        np.testing.assert_array_equal(numbers(tables[0].weight), numbers(tables[1].weight))
        assert repr(tables[0]) == repr(tables[1])


def test_a_network_learns_as_torchs_does():
    losses = []
    for m in (tg, torch):
        n = m.nn
        m.manual_seed(0)
        model = n.Sequential(
            n.Conv2d(1, 4, 3, padding=1), n.BatchNorm2d(4), n.ReLU(), n.MaxPool2d(2), n.Flatten(), n.Linear(36, 3)
        ).double()
        x = m.tensor(np.random.default_rng(0).normal(size=(8, 1, 6, 6)))
        y, optimizer = m.tensor([0, 1, 2, 0, 1, 2, 0, 1]), m.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            loss = n.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        losses.append([loss.item(), *(p.sum().item() for p in model.state_dict().values())])
    # Four steps of some hundred roundings each, amplified by less than a thousand.
    np.testing.assert_allclose(*losses, rtol=0, atol=4e5 * UNIT_ROUNDOFF["float64"])


@pytest.mark.slow
def test_layers_compile():
    tg.manual_seed(0)
    model = tg.nn.Sequential(
        tg.nn.Conv2d(1, 2, 3), tg.nn.ReLU(), tg.nn.AvgPool2d(2, padding=1, count_include_pad=False)
    )
    model.append(tg.nn.Flatten()).append(tg.nn.LayerNorm(8)).append(tg.nn.Linear(8, 2))

    def loss(x):
        y = model(x).sum()
        return [y, *tg.grad(y, [*model.parameters()])]

    x = tg.randn(3, 1, 5, 4)
    for mine, reference in zip(tg.compile(loss)(x), loss(x), strict=True):
        np.testing.assert_allclose(numbers(mine), numbers(reference), rtol=1e-5, atol=1e-5)


# Normalization


@both
def test_running_statistics_move_by_a_fraction_or_to_the_mean_of_all_batches(m):
    for momentum, mean in ((0.5, [0.5 * 0.5 * 2 + 0.5 * 4]), (None, [3.0])):
        layer = m.nn.BatchNorm1d(1, momentum=momentum)
        layer(m.tensor([[1.0], [3.0]])), layer(m.tensor([[3.0], [5.0]]))
        assert layer.running_mean.tolist() == mean
        assert layer.num_batches_tracked.item() == 2
        assert layer.num_batches_tracked.dtype == m.int64
        layer.eval()(m.tensor([[7.0]]))
        assert layer.running_mean.tolist() == mean


@both
def test_running_statistics_are_loaded_with_a_state(m):
    layer, other = m.nn.BatchNorm2d(2), m.nn.BatchNorm2d(2)
    layer(m.arange(16.0).reshape(2, 2, 2, 2))
    assert repr(other.load_state_dict(layer.state_dict())) == "<All keys matched successfully>"
    assert other.running_var.tolist() == layer.running_var.tolist()


@both
def test_lengths_are_made_one(m):
    f = m.nn.functional
    assert f.normalize(m.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist() == m.tensor([[0.6, 0.8], [0.0, 0.0]]).tolist()
    assert f.normalize(m.tensor([1.0, 3.0]), p=1, dim=0).tolist() == [0.25, 0.75]


BAD_NORMALIZATION = {
    "one value": (lambda m: m.nn.BatchNorm1d(2)(m.ones(1, 2)), "more than 1 value per channel.*has 1"),
    "one group": (lambda m: m.nn.GroupNorm(2, 2)(m.ones(1, 2)), "more than 1 value per channel"),
    "dimensions": (lambda m: m.nn.BatchNorm2d(2)(m.ones(1, 2)), r"BatchNorm2d expects .* \(N, C, H, W\)"),
    "channels": (lambda m: m.nn.BatchNorm1d(2)(m.ones(4, 3)), r"running_mean has shape \(2,\)"),
    "no statistics": (lambda m: m.nn.functional.batch_norm(m.ones(4, 3), None, None), "are needed where training is"),
    "shape": (lambda m: m.nn.LayerNorm(3)(m.ones(2, 4)), r"ends in \(3,\), not \(2, 4\)"),
    "groups": (lambda m: m.nn.GroupNorm(2, 3), "2 groups do not divide 3"),
    "groups of the input": (lambda m: m.nn.functional.group_norm(m.ones(4, 3), 2), "2 groups do not divide"),
    "filters": (lambda m: m.nn.Conv2d(2, 3, 3, groups=2), "groups=2 does not divide 2 and 3"),
}


@both
@pytest.mark.parametrize("name", BAD_NORMALIZATION)
def test_layers_refuse_what_does_not_fit(m, name):
    call, message = BAD_NORMALIZATION[name]
    with pytest.raises((RuntimeError, ValueError)) as caught:
        call(m)
    if m is tg:
        assert isinstance(caught.value, ShapeError)
        caught.match(message)


def test_a_refused_batch_leaves_the_statistics_alone():
    layer = tg.nn.BatchNorm1d(2)
    for batch in (tg.ones(1, 2), tg.ones(0, 2)):
        with pytest.raises(ShapeError, match="more than 1 value"):
            layer(batch)
    assert (layer.num_batches_tracked.item(), layer.running_mean.tolist()) == (0, [0.0, 0.0])


def test_options_that_are_not_there_are_refused_by_name():
    with pytest.raises(DtypeError, match="Conv2d: padding_mode 'reflect'"):
        tg.nn.Conv2d(1, 1, 3, padding_mode="reflect")
    for name in ("max_norm", "sparse", "scale_grad_by_freq"):
        with pytest.raises(DtypeError, match=name):
            tg.nn.Embedding(3, 2, **{name: 1})
    assert repr(tg.nn.Embedding(3, 2, max_norm=None, norm_type=2.0, sparse=False)) == "Embedding(3, 2)"
    with pytest.raises(TypeError, match="too many positional arguments"):
        tg.nn.MaxPool2d(1, 1, 0, 1, False, False, 3)


# Embedding


@both
def test_rows_of_a_table_get_the_sum_of_their_uses_and_padding_nothing(m):
    table = m.nn.Embedding.from_pretrained(m.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), False, -1)
    y = table(m.tensor([[0, 2], [0, 1]]))
    assert y.tolist() == [[[1, 2], [5, 6]], [[1, 2], [3, 4]]]
    y.backward(m.arange(1.0, 9.0).reshape(2, 2, 2))
    assert table.weight.grad.tolist() == [[6, 8], [7, 8], [0, 0]]
    assert not m.nn.Embedding.from_pretrained(m.ones(2, 3)).weight.requires_grad


@both
def test_classes_become_ones(m):
    one_hot = m.nn.functional.one_hot
    found = one_hot(m.tensor([[1, 0]]), 3)
    assert (found.tolist(), found.dtype) == ([[[0, 1, 0], [1, 0, 0]]], m.int64)
    assert one_hot(m.tensor(2)).tolist() == [0, 0, 1]
    assert one_hot(m.tensor([1, 0])).shape == (2, 2)


@both
@pytest.mark.parametrize("numbers", [[3], [-1], [0.5], [True]])
def test_a_number_that_is_no_row_or_class_is_refused(m, numbers):
    given = m.tensor(numbers)
    for call in (lambda: m.nn.functional.embedding(given, m.ones(3, 2)), lambda: m.nn.functional.one_hot(given, 3)):
        with pytest.raises((IndexError, RuntimeError, TypeError)):
            call()
    if m is tg and given.dtype == m.int64:
        with pytest.raises(IndexError, match=rf"one_hot: {numbers[0]} does not exist: there are 3"):
            m.nn.functional.one_hot(given, 3)


def test_a_table_and_classes_that_are_none_are_refused():
    f = tg.nn.functional
    with pytest.raises(ShapeError, match="give num_classes"):
        f.one_hot(tg.tensor([], dtype=tg.int64))
    with pytest.raises(ShapeError, match="matrix"):
        f.embedding(tg.tensor([0]), tg.ones(3))
    with pytest.raises(IndexError, match="padding_idx 3"):
        f.embedding(tg.tensor([0]), tg.ones(3, 2), padding_idx=3)
    with pytest.raises(IndexError):
        tg.nn.Embedding(3, 2, padding_idx=5)
    with pytest.raises(ShapeError, match="row for each vector"):
        tg.nn.Embedding.from_pretrained(tg.ones(3))


def test_a_table_compiles_where_it_is_an_argument():
    def loss(table, index):
        y = (tg.nn.functional.embedding(index, table, padding_idx=1) ** 2).sum()
        return [y, *tg.grad(y, [table])]

    table, index = tg.ones(3, 2, requires_grad=True), tg.tensor([0, 1, 0])
    for mine, reference in zip(tg.compile(loss)(table, index), loss(table, index), strict=True):
        assert mine.tolist() == reference.tolist()
    for wrong in (3, -1):
        with pytest.raises(IndexError):
            tg.compile(loss)(table, tg.tensor([wrong]))
    with pytest.raises(TraceError):
        tg.compile(lambda index: loss(table, index))(index)
    with pytest.raises(TraceError):
        tg.compile(lambda index: tg.nn.functional.one_hot(index, 3))(index)


# Dropout


@both
def test_whole_channels_are_dropped(m):
    m.manual_seed(0)
    for layer, shape in ((m.nn.Dropout1d(0.5), (20, 30, 4)), (m.nn.Dropout1d(0.5), (400, 4)),
                         (m.nn.Dropout2d(0.5), (20, 30, 2, 2))):  # fmt: skip
        x = m.ones(*shape)
        channels = layer(x).reshape(-1, 4)
        assert {tuple(row) for row in channels.tolist()} == {(0.0,) * 4, (2.0,) * 4}
        assert layer.eval()(x).tolist() == x.tolist()


# Containers


def containers(m):
    n = m.nn
    yield n.ModuleDict({"a": n.Linear(1, 2), "b": n.ReLU()})
    yield n.ModuleDict()
    yield n.ParameterList([n.Parameter(m.ones(2, 3)), m.ones(2)])
    yield n.ParameterList()
    yield n.ParameterDict({"a": m.ones(2, 3), "b": n.Parameter(m.ones(1, dtype=m.float64))})
    yield n.ParameterDict()


def test_containers_print_and_list_what_torchs_do():
    for mine, theirs in zip(containers(tg), containers(torch), strict=True):
        assert repr(mine) == repr(theirs)
        assert list(mine.state_dict()) == list(theirs.state_dict())
        assert len(mine) == len(theirs)


@both
def test_modules_and_parameters_under_names_work_as_a_dict(m):
    modules = m.nn.ModuleDict([("a", m.nn.Linear(1, 1)), ("b", m.nn.Tanh())])
    modules["c"] = m.nn.ReLU()
    modules.update({"d": m.nn.Identity()})
    assert list(modules) == list(modules.keys()) == ["a", "b", "c", "d"]
    assert "c" in modules
    assert modules.a is modules["a"]
    assert type(modules.pop("c")).__name__ == "ReLU"
    del modules["d"]
    assert [name for name, _ in modules.items()] == ["a", "b"]
    assert [type(x).__name__ for x in modules.values()] == ["Linear", "Tanh"]
    assert {modules: 1}[modules] == 1
    with pytest.raises(TypeError):
        modules["x"] = 5
    with pytest.raises(KeyError):
        modules["x"]
    modules.clear()
    assert len(modules) == 0
    parameters = m.nn.ParameterDict({"w": m.ones(2)})
    assert isinstance(parameters["w"], m.nn.Parameter)
    assert [name for name, _ in parameters.named_parameters()] == ["w"]


@both
def test_parameters_in_a_list_are_trained(m):
    class Sum(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = m.nn.ParameterList([m.ones(1) for _ in range(2)])
            self.weights.append(m.nn.Parameter(m.ones(1)))
            self.weights.extend([m.ones(1)])

        def forward(self, x):
            for i, weight in enumerate(self.weights):
                x = x + weight * i
            return x

    model = Sum()
    model(m.zeros(1)).sum().backward()
    assert [p.grad.item() for p in model.parameters()] == [0, 1, 2, 3]
    assert len(model.weights) == 4
    assert isinstance(model.weights[-1], m.nn.Parameter)
    model.weights[0] = m.nn.Parameter(m.zeros(1))
    assert model.weights[0].item() == 0
    assert [name for name, _ in model.named_parameters()] == [f"weights.{i}" for i in range(4)]


# Modules by name, states


@both
def test_what_is_inside_is_found_by_its_dotted_name(m):
    model = m.nn.Sequential(m.nn.Linear(2, 3), m.nn.Sequential(m.nn.BatchNorm1d(3), m.nn.Linear(3, 1)))
    assert model.get_submodule("1.1") is model[1][1]
    assert model.get_submodule("") is model
    assert model.get_parameter("1.1.weight") is model[1][1].weight
    assert model.get_buffer("1.0.running_mean") is model[1][0].running_mean
    for call in (model.get_submodule, model.get_parameter, model.get_buffer):
        with pytest.raises(AttributeError):
            call("1.7")
    assert [len(list(x.parameters(recurse=False))) for x in (model, model[0])] == [0, 2]
    assert [name for name, _ in model[1].named_buffers("p", recurse=False)] == []


@both
def test_weights_start_again_in_place(m):
    for make in (lambda: m.nn.Linear(3, 2), lambda: m.nn.Conv1d(2, 2, 2, bias=False)):
        m.manual_seed(1)
        layer = make()
        weight, before = layer.weight, layer.weight.tolist()
        layer.reset_parameters()
        assert layer.weight is weight
        assert weight.tolist() != before
        m.manual_seed(1)
        layer.reset_parameters()
        assert weight.tolist() == before


def test_a_state_may_hold_arrays_and_what_is_none_is_refused():
    layer = tg.nn.Linear(2, 1)
    found = layer.load_state_dict({"weight": np.ones((1, 2)), "bias": np.zeros(1)})
    assert repr(found) == "<All keys matched successfully>"
    assert (layer.weight.tolist(), layer.weight.dtype) == ([[1.0, 1.0]], tg.float32)
    with pytest.raises(ShapeError, match=r"weight has shape \(1, 2\), but the state holds a float"):
        layer.load_state_dict({"weight": 5.0, "bias": np.ones(1)})
    with pytest.raises(DtypeError, match="expects a dict of names and tensors, not list"):
        layer.load_state_dict([1])
    assert layer.bias.tolist() == [0.0]
