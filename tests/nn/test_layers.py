"""Layers, activations and containers are torch's, in what they compute and in what they print."""

from collections import OrderedDict

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from ..helpers import UNIT_ROUNDOFF, both, leaf, numbers

ACTIVATIONS = [
    ("ReLU", {}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.5}),
    ("ELU", {}),
    ("ELU", {"alpha": 2.0}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
    ("Tanh", {}),
    ("ReLU6", {}),
    ("CELU", {}),
    ("CELU", {"alpha": 0.5}),
    ("SELU", {}),
    ("Mish", {}),
    ("Tanhshrink", {}),
    ("Hardtanh", {}),
    ("Hardtanh", {"min_val": -0.5, "max_val": 2.0}),
    ("Hardsigmoid", {}),
    ("Hardswish", {}),
    ("Hardshrink", {}),
    ("Hardshrink", {"lambd": 1.0}),
    ("Softshrink", {}),
    ("Softsign", {}),
    ("Softmin", {"dim": 1}),
    ("Threshold", {"threshold": 0.5, "value": 20}),
    ("GLU", {"dim": 1}),
    ("PReLU", {}),
    ("PReLU", {"num_parameters": 2, "init": 0.5}),
    ("Sigmoid", {}),
    ("LogSigmoid", {}),
    ("Softplus", {}),
    ("Softplus", {"beta": 2.0, "threshold": 1.0}),
    ("Softmax", {"dim": 1}),
    ("LogSoftmax", {"dim": -1}),
    ("Flatten", {}),
    ("Flatten", {"start_dim": 0}),
    ("Identity", {}),
]


@pytest.mark.parametrize(("name", "options"), ACTIVATIONS, ids=str)
def test_activations_compute_and_print_as_torchs(name, options):
    x = np.arange(-6, 6).reshape(2, 2, 3) / 2
    found = []
    for m in (tg, torch):
        module = getattr(m.nn, name)(**options).to(m.float64)
        given = m.tensor(x, dtype=m.float64, requires_grad=True)
        y = module(given)
        y.sum().backward()
        found.append((repr(module), y, given.grad, len(list(module.parameters()))))
    mine, theirs = found
    assert (mine[0], mine[3]) == (theirs[0], theirs[3])
    for a, b in zip(mine[1:3], theirs[1:3], strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        # Functions of numbers up to 3: at most three library calls of 10u each and ten further roundings.
        # Torch's slope of hardsigmoid is 1/6 in float32.
        u = UNIT_ROUNDOFF["float32" if name == "Hardsigmoid" else "float64"]
        np.testing.assert_allclose(numbers(a), numbers(b), rtol=0, atol=50 * 3 * u)


def test_random_slopes_are_torchs_for_a_seed_and_the_middle_one_outside_of_training():
    for dtype in ("float32", "float64"):
        found = []
        for m in (tg, torch):
            m.manual_seed(3)
            module = m.nn.RReLU(0.25, 0.75)
            x = m.tensor([[-1.0, 2.0, -3.0], [0.0, -0.5, 4.0]], dtype=getattr(m, dtype), requires_grad=True)
            y = module(x)
            y.sum().backward()
            found.append([repr(module), y.tolist(), x.grad.tolist(), module.eval()(x).tolist(), m.rand(1).item()])
        assert found[0] == found[1]


def test_activations_with_options_that_make_no_sense_are_refused():
    x = tg.zeros(2, 3)
    for call, error, message in (
        (lambda f: f.hardtanh(x, 1.0, -1.0), ValueError, "min_val must be at most max_val, not 1.0 and -1.0"),
        (lambda f: f.celu(x, 0.0), ValueError, "alpha must not be 0"),
        (lambda f: f.softshrink(x, -1.0), ValueError, "lambd must be 0 or more, not -1.0"),
        (lambda f: f.glu(x), ShapeError, r"dimension -1, which has the odd length 3, of shape \(2, 3\)"),
        (lambda f: f.prelu(x, tg.zeros(2)), ShapeError, r"one for each channel of \(2, 3\), not \(2,\)"),
        (lambda f: f.rrelu(x, 1.0, 0.5), ValueError, "lower must be at most upper, not 1.0 and 0.5"),
        (lambda f: f.mish([1.0]), DtypeError, "mish"),
    ):
        with pytest.raises(error, match=message):
            call(tg.nn.functional)
    with pytest.raises(TypeError):
        tg.nn.Hardtanh(minval=0.0)


@both
def test_activations_accept_inplace_and_print_it(m):
    for name, options in (("ReLU", {}), ("LeakyReLU", {"negative_slope": 0.1}), ("ELU", {}), ("SiLU", {}),
        ("ReLU6", {}), ("CELU", {}), ("SELU", {}), ("Mish", {}), ("Hardtanh", {}), ("Hardswish", {}), ("RReLU", {}),
        ("Threshold", {"threshold": -1.0, "value": 0.0}),
    ):  # fmt: skip
        module = getattr(m.nn, name)(inplace=True, **options)
        assert repr(module).endswith("inplace=True)") or name == "Hardswish"
        assert module(m.tensor([0.0])).tolist() == [0.0]
        x = m.tensor([0.0])
        assert module(x) is x
    assert repr(m.nn.Dropout(0.25)) == "Dropout(p=0.25, inplace=False)"


def test_the_functions_of_modules_are_those_of_tensors():
    for name in ("relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softplus", "linear"):
        function = getattr(tg.nn.functional, name)
        assert getattr(function, "__wrapped__", function) is getattr(tg, name, None) or name == "linear"


@both
def test_softmax_without_a_dimension_chooses_the_classes_and_warns(m):
    for shape, dim in (((3,), 0), ((2, 3), 1), ((2, 3, 2), 0)):
        x = m.ones(*shape)
        for name in ("softmax", "log_softmax"):
            with pytest.warns(UserWarning, match="dim"):
                y = getattr(m.nn.functional, name)(x)
            assert y.tolist() == getattr(m.nn.functional, name)(x, dim=dim).tolist()


# Dropout


@both
def test_dropout_in_training_keeps_the_mean_and_in_evaluation_everything(m):
    m.manual_seed(0)
    layer, x = m.nn.Dropout(0.25), m.ones(10_000, requires_grad=True)
    y = layer(x)
    assert set(y.tolist()) == {0.0, float(np.float32(1 / 0.75))}
    # The number kept is binomial: five standard deviations are √(n p q) · 5 = 217.
    assert abs(sum(value != 0 for value in y.tolist()) - 7500) < 217
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert layer.eval()(x) is x
    assert m.nn.Dropout(1.0)(x).tolist() == [0.0] * 10_000
    assert m.nn.Dropout(0.0)(x).tolist() == x.tolist()
    assert m.nn.Dropout(0.5)(m.ones(3, dtype=m.float64)).dtype == m.float64


# Containers


@both
def test_a_sequence_of_modules_passes_on_what_each_returns(m):
    m.manual_seed(1)
    model = m.nn.Sequential(m.nn.Linear(2, 3), m.nn.ReLU(), m.nn.Linear(3, 1))
    x = m.ones(5, 2)
    assert model(x).tolist() == model[2](model[1](model[0](x))).tolist()
    assert len(model) == 3
    assert [type(module).__name__ for module in model] == ["Linear", "ReLU", "Linear"]
    assert model[-1] is model[2]
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(model[:2]) == 2
    assert model[:2][0] is model[0]
    assert isinstance(model[1:], m.nn.Sequential)
    assert model.append(m.nn.Tanh()) is model
    assert [name for name, _ in model.named_children()] == ["0", "1", "2", "3"]
    model[1] = m.nn.Sigmoid()
    assert type(model[1]).__name__ == "Sigmoid"
    del model[0]
    assert [name for name, _ in model.named_children()] == ["0", "1", "2"]
    model.insert(0, m.nn.Identity())
    assert [type(module).__name__ for module in model] == ["Identity", "Sigmoid", "Linear", "Tanh"]
    model.extend([m.nn.ReLU()])
    assert list(model.state_dict()) == ["2.weight", "2.bias"]


@both
def test_the_modules_of_a_sequence_can_have_names(m):
    model = m.nn.Sequential(OrderedDict(first=m.nn.Linear(1, 1), bend=m.nn.Tanh()))
    assert list(model.state_dict()) == ["first.weight", "first.bias"]
    assert model.bend is model[1]
    assert type(model[0:1].first).__name__ == "Linear"


@both
def test_a_list_of_modules_is_found_by_the_optimizer(m):
    class Stack(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = m.nn.ModuleList([m.nn.Linear(2, 2) for _ in range(2)])
            self.layers.append(m.nn.Linear(2, 1))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    model = Stack()
    assert model(m.ones(3, 2)).shape == (3, 1)
    assert len(list(model.parameters())) == 6
    assert [name for name, _ in model.named_modules()] == ["", "layers", "layers.0", "layers.1", "layers.2"]
    with pytest.raises(NotImplementedError):
        model.layers(m.ones(3, 2))


def test_containers_print_as_torchs():
    def models(m):
        n = m.nn
        inner = n.Sequential(n.Linear(1, 2), n.ReLU(inplace=True))
        yield n.Sequential(inner, n.Dropout(), n.Linear(2, 1, bias=False), n.Softmax(dim=1))
        yield n.Sequential(OrderedDict(a=n.Linear(1, 1), b=n.Tanh()))
        yield n.ModuleList([n.Linear(1, 2), n.Linear(2, 1)])
        yield n.ModuleList([n.Linear(2, 2), n.Linear(2, 2), n.ReLU(), inner, inner])
        yield n.Sequential()
        yield n.ModuleList()

    for mine, theirs in zip(models(tg), models(torch), strict=True):
        assert repr(mine) == repr(theirs)


# Modules


@both
def test_buffers_are_saved_and_not_trained(m):
    module = m.nn.Module()
    module.register_buffer("mean", m.zeros(2))
    module.register_buffer("scratch", m.zeros(1), persistent=False)
    module.register_buffer("nothing", None)
    module.register_buffer("count", m.tensor(3))
    module.weight = m.nn.Parameter(m.ones(1))
    module.mean = m.ones(2)
    assert [name for name, _ in module.named_buffers()] == ["mean", "scratch", "count"]
    assert list(module.state_dict()) == ["weight", "mean", "count"]
    assert len(list(module.parameters())) == 1
    module.load_state_dict({"weight": m.ones(1), "mean": m.tensor([5.0, 6.0]), "count": m.tensor(4)})
    assert (module.mean.tolist(), module.count.item()) == ([5.0, 6.0], 4)
    module.to(m.float64)
    assert (module.mean.dtype, module.count.dtype) == (m.float64, m.int64)
    del module.mean
    assert not hasattr(module, "mean")
    with pytest.raises(TypeError):
        module.scratch = 5


@both
def test_all_modules_can_be_visited_changed_and_frozen(m):
    model = m.nn.Sequential(m.nn.Linear(1, 1), m.nn.Sequential(m.nn.ReLU(), m.nn.Linear(1, 1)))
    seen = []
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    assert seen == ["Linear", "ReLU", "Linear", "Sequential", "Sequential"]
    assert model.requires_grad_(False) is model
    assert not any(p.requires_grad for p in model.parameters())
    assert model.double() is model
    assert {p.dtype for p in model.parameters()} == {m.float64}
    assert {p.dtype for p in model.float().parameters()} == {m.float32}


@both
def test_a_module_that_is_used_twice_is_listed_once(m):
    shared = m.nn.Linear(1, 1)
    model = m.nn.Sequential(shared, shared)
    assert len(list(model.children())) == len(list(model.parameters())) - 1 == 1
    assert [name for name, _ in model.named_modules()] == ["", "0"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


@both
def test_a_part_of_a_state_can_be_loaded(m):
    model = m.nn.Linear(1, 1)
    found = model.load_state_dict({"bias": m.tensor([5.0]), "more": m.ones(1)}, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["weight"], ["more"])
    assert model.bias.tolist() == [5.0]
    assert repr(model.load_state_dict(model.state_dict())) == "<All keys matched successfully>"


@both
def test_modules_can_be_registered_under_a_name(m):
    model = m.nn.Module()
    model.register_module("0", m.nn.Linear(1, 1))
    model.add_module("gone", None)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    model.register_parameter("w", m.nn.Parameter(m.ones(1)))
    model.register_parameter("v", None)
    assert model.v is None
    for register in (model.register_module, model.register_parameter, model.register_buffer):
        with pytest.raises(TypeError):
            register("x", 5)


# misuse


def test_containers_say_what_does_not_exist():
    model = tg.nn.Sequential(tg.nn.ReLU())
    with pytest.raises(IndexError, match="no module 1: Sequential has 1"):
        model[1]
    with pytest.raises(DtypeError, match="numbers and slices, not str"):
        model["0"]
    with pytest.raises(DtypeError, match="expects a module or None, not function"):
        tg.nn.Sequential(lambda x: x)
    with pytest.raises(DtypeError, match="expects a module"):
        model.append(5)


def test_parameters_that_do_not_fit_into_a_vector_are_refused():
    with pytest.raises(ShapeError, match=r"3 elements, but the vector has shape \(2,\)"):
        tg.nn.utils.vector_to_parameters(tg.ones(2), [tg.ones(3)])


# nn.utils


def gradients(m, *values):
    tensors = [leaf(m, [1.0] * len(value)) for value in values]
    for tensor, value in zip(tensors, values, strict=True):
        (tensor * m.tensor(value)).sum().backward()
    return tensors


@pytest.mark.parametrize("norm", [2, 1, 3, float("inf")])
@pytest.mark.parametrize("limit", [1.0, 10.0, 100.0])
def test_gradients_are_shortened_as_by_torch(norm, limit):
    found = []
    for m in (tg, torch):
        tensors = [*gradients(m, [3.0, -4.0], [12.0, 0.0, 1.0]), leaf(m, [1.0])]
        length = m.nn.utils.clip_grad_norm_(iter(tensors), limit, norm_type=norm)
        found.append([length, *(t.grad for t in tensors[:2])])
        assert tensors[2].grad is None
    for mine, reference in zip(*found, strict=True):
        # Powers and roots of five numbers: at most three library calls and ten other roundings.
        np.testing.assert_allclose(numbers(mine), numbers(reference), rtol=50 * UNIT_ROUNDOFF["float32"])
        assert mine.dtype == np.float32


@both
def test_gradients_are_limited_element_by_element(m):
    (w,) = gradients(m, [3.0, -4.0, 0.5])
    alias = w.grad
    m.nn.utils.clip_grad_value_(w, 1)
    assert w.grad.tolist() == alias.tolist() == [1.0, -1.0, 0.5]


@both
def test_a_length_that_is_not_finite_can_be_refused(m):
    (w,) = gradients(m, [float("inf"), 1.0])
    with pytest.raises(RuntimeError, match="finite"):
        m.nn.utils.clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
    assert w.grad.tolist() == [float("inf"), 1.0]
    with np.errstate(invalid="ignore"):
        m.nn.utils.clip_grad_norm_([w], 1.0)
    assert np.isnan(w.grad.tolist()[0])
    assert m.nn.utils.clip_grad_norm_([m.ones(1)], 1.0).item() == 0


@both
def test_parameters_are_a_vector_and_back(m):
    model = m.nn.Sequential(m.nn.Linear(2, 1), m.nn.Linear(1, 1))
    vector = m.nn.utils.parameters_to_vector(model.parameters())
    assert vector.tolist() == [x for p in model.parameters() for x in p.detach().reshape(-1).tolist()]
    vector.sum().backward()
    assert model[0].weight.grad.tolist() == [[1.0, 1.0]]
    m.nn.utils.vector_to_parameters(m.arange(5.0), model.parameters())
    assert model[0].weight.tolist() == [[0.0, 1.0]]
    assert model[1].bias.tolist() == [4.0]
