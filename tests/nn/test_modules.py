"""Modules and parameters behave like torch's."""

import copy
import pickle

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from ..helpers import DTYPES, assert_like, both, numbers


def model_of(m, old_style=False):
    class Inner(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = m.nn.Parameter(m.tensor([[2.0]]))

        def forward(self, x):
            return x @ self.weight

    class Model(m.nn.Module):
        def __init__(self):
            if old_style:
                super(Model, self).__init__()  # noqa: UP008 - as tutorials write it
            else:
                super().__init__()
            self.a = m.nn.Parameter(m.tensor(3.0))
            self.inner = Inner()
            self.frozen = m.nn.Parameter(m.ones(2), requires_grad=False)
            self.layer = m.nn.Linear(1, 2)
            self.name = "no parameter"

        def forward(self, x, *, factor=1.0):
            return self.layer(self.inner(x)) * self.a * factor + self.frozen

    m.manual_seed(1)
    return Model()


NAMES = ["a", "frozen", "inner.weight", "layer.weight", "layer.bias"]


@both
@pytest.mark.parametrize("old_style", [False, True])
def test_parameters_are_listed_in_order_with_their_names(m, old_style):
    model = model_of(m, old_style)
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [p.shape for p in model.parameters()] == [(), (2,), (1, 1), (2, 1), (2,)]
    assert list(model.state_dict()) == NAMES
    assert [type(child).__name__ for child in model.children()] == ["Inner", "Linear"]
    assert [type(module).__name__ for module in model.modules()] == ["Model", "Inner", "Linear"]
    assert [name for name, _ in model.inner.named_parameters("p")] == ["p.weight"]


def test_a_model_computes_and_differentiates_like_torchs():
    found = []
    for m in (tg, torch):
        model = model_of(m)
        x = m.tensor([[1.0], [-2.0], [0.5]])
        m.nn.MSELoss()(model(x, factor=0.5), m.ones(3, 2)).backward()
        found.append([model(x), *(p.grad for p in model.parameters() if p.requires_grad)])
        assert model.frozen.grad is None
    # six products of at most ten roundings each, of numbers below 100
    for mine, reference in zip(*found, strict=True):
        np.testing.assert_allclose(numbers(mine), numbers(reference), rtol=0, atol=100 * 60 * 2.0**-24)


@both
def test_a_shared_parameter_is_listed_once_but_saved_under_both_names(m):
    model = m.nn.Module()
    model.first = m.nn.Linear(1, 1)
    model.second = m.nn.Linear(1, 1, bias=False)
    model.second.weight = model.first.weight
    assert [name for name, _ in model.named_parameters()] == ["first.weight", "first.bias"]
    assert list(model.state_dict()) == ["first.weight", "first.bias", "second.weight"]


@both
def test_assignments_replace_parameters_and_modules(m):
    model = model_of(m)
    model.a = m.nn.Parameter(m.tensor(5.0))
    model.inner = m.nn.Linear(1, 1, bias=False)
    assert (model.a.item(), type(model.inner).__name__) == (5.0, "Linear")
    with pytest.raises(TypeError, match="Parameter"):
        model.a = m.tensor(1.0)
    with pytest.raises(TypeError):
        model.inner = 5
    model.a = None
    model.inner = None
    assert (model.a, model.inner) == (None, None)
    assert [name for name, _ in model.named_parameters()] == ["frozen", "layer.weight", "layer.bias"]
    with pytest.raises(AttributeError, match="missing"):
        model.missing


@both
def test_state_can_be_saved_and_loaded(m):
    model, other = model_of(m), model_of(m)
    with m.no_grad():
        for p in model.parameters():
            p += 1
    assert not any(t.requires_grad for t in model.state_dict().values())
    other.load_state_dict(model.state_dict())
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert p.tolist() == q.tolist()
        assert p is not q
    assert [p.requires_grad for p in other.parameters()] == [True, False, True, True, True]


@both
def test_state_that_does_not_fit_is_refused(m):
    model = model_of(m)
    state = model.state_dict()
    for wrong in (
        {**state, "more": m.ones(1)},
        {k: v for k, v in state.items() if k != "a"},
        {**state, "a": m.ones(3)},
    ):
        with pytest.raises((RuntimeError, ValueError), match=r"more|\ba\b"):
            model.load_state_dict(wrong)


def test_state_that_does_not_fit_changes_nothing():
    model = model_of(tg)
    before = [p.tolist() for p in model.parameters()]
    with pytest.raises(ShapeError, match=r"layer.bias has shape \(2,\).*\(3,\)"):
        model.load_state_dict({name: tg.zeros(3 if name == "layer.bias" else p.shape) for name, p in
                               model.state_dict().items()})  # fmt: skip
    assert [p.tolist() for p in model.parameters()] == before


@both
def test_a_model_moves_in_place_and_keeps_its_parameters(m):
    model = model_of(m)
    before = list(model.parameters())
    assert model.to("cpu") is model
    assert model.to(m.float64) is model
    assert all(p is q and p.dtype == m.float64 for p, q in zip(before, model.parameters(), strict=True))
    assert [p.requires_grad for p in model.parameters()] == [True, False, True, True, True]
    model(m.ones(1, 1, dtype=m.float64)).sum().backward()
    assert model.a.grad.dtype == m.float64


@both
def test_zero_grad_and_training_mode_reach_all_parts(m):
    model = model_of(m)
    model(m.ones(1, 1)).sum().backward()
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert model.training
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert model.train().inner.training


@both
def test_parameters_are_tensors_that_require_grad(m):
    p = m.nn.Parameter(m.tensor([1.0, 2.0]))
    assert isinstance(p, m.Tensor)
    assert (p.requires_grad, p.is_leaf) == (True, True)
    assert not m.nn.Parameter(m.ones(1), requires_grad=False).requires_grad
    assert type(p * 2) is m.Tensor
    with m.no_grad():
        p -= 0.5
    assert isinstance(p, m.nn.Parameter)
    x = m.tensor([1.0], requires_grad=True) * 2
    assert m.nn.Parameter(x).is_leaf


@both
def test_a_copied_model_is_independent(m):
    model = model_of(m)
    twin = copy.deepcopy(model)
    with m.no_grad():
        twin.a += 10
    assert (model.a.item(), twin.a.item()) == (3.0, 13.0)
    assert repr(model.layer.weight) == repr(twin.layer.weight)
    twin(m.ones(1, 1)).sum().backward()
    assert model.a.grad is None
    assert repr(pickle.loads(pickle.dumps(model.layer.weight))) == repr(model.layer.weight)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 3), (3,), (2, 5, 3), (0, 3)], ids=str)
def test_a_linear_layer_works_on_any_leading_shape(shape, bias, dtype):
    found = []
    x = np.random.default_rng(0).integers(-4, 5, shape) / 2
    for m in (tg, torch):
        layer = m.nn.Linear(3, 2, bias=bias, dtype=getattr(m, dtype))
        state = {"weight": m.tensor([[1.0, 2.0, -0.5], [0.5, -1.0, 4.0]])}
        layer.load_state_dict({**state, "bias": m.tensor([1.0, -2.0])} if bias else state)
        given = m.tensor(x.astype(dtype), requires_grad=True)
        y = layer(given)
        (y * y).sum().backward()
        found.append([y, given.grad, *(p.grad for p in layer.parameters())])
    for mine, reference in zip(*found, strict=True):
        assert_like(mine, reference)  # multiples of 1/16: exact


# misuse


@both
def test_a_missing_super_init_says_so(m):
    class Forgetful(m.nn.Module):
        def __init__(self):
            self.layer = m.nn.Linear(1, 1)

    class ForgetfulParameter(m.nn.Module):
        def __init__(self):
            self.weight = m.nn.Parameter(m.ones(1))

    for kind in (Forgetful, ForgetfulParameter):
        with pytest.raises(AttributeError, match="__init__"):
            kind()


@both
def test_a_missing_forward_says_so(m):
    with pytest.raises(NotImplementedError, match="forward"):
        m.nn.Module()(1)


def test_a_wrong_input_to_a_linear_layer_names_both_sizes():
    for x in (tg.ones(3), tg.ones(2, 3), tg.tensor(1.0)):
        with pytest.raises(ShapeError, match=r"\(\.\.\., 1\).*view\(-1, 1\)"):
            tg.nn.Linear(1, 1)(x)
    with pytest.raises(ShapeError, match=r"\(3, 2\).*\(4,\)"):
        tg.nn.MSELoss()(tg.ones(3, 2), tg.ones(4))


@both
def test_a_parameter_must_be_a_floating_tensor(m):
    with pytest.raises((TypeError, RuntimeError, AttributeError)):
        m.nn.Parameter([1.0])
    with pytest.raises((TypeError, RuntimeError), match="float"):
        m.nn.Parameter(m.tensor([1]))
    with pytest.raises(DtypeError):
        tg.nn.MSELoss()(1.0, tg.ones(1))
