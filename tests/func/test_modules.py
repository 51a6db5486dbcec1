"""Modules as functions of their parameters, as in torch."""

import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.engine.errors import DtypeError, StructureError

from ..helpers import both


def of(m):
    return func if m is tg else torch.func


@both
def test_other_tensors_take_the_place_of_parameters_and_buffers(m):
    class Scaled(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = m.nn.Linear(2, 1)
            self.register_buffer("scale", m.tensor(2.0))

        def forward(self, x, *, shift=0.0):
            self.scale = self.scale + 1
            return self.inner(x) * self.scale + shift

    module = Scaled()
    before = {name: t.detach().tolist() for name, t in module.state_dict().items()}
    given = {"inner.weight": m.ones(1, 2), "scale": m.tensor(9.0)}, {"inner.bias": m.tensor([1.0])}
    x = m.tensor([1.0, 2.0])
    assert of(m).functional_call(module, given, (x,), {"shift": 5.0}).tolist() == [45.0]
    assert {name: t.detach().tolist() for name, t in module.state_dict().items()} == before
    wanted = of(m).grad(lambda p: of(m).functional_call(module, p, x).sum())({"inner.weight": m.ones(1, 2)})
    assert wanted["inner.weight"].tolist() == [[3.0, 6.0]]
    assert module.inner.weight.grad is None


@both
def test_the_module_is_as_it_was_after_an_exception(m):
    layer = m.nn.Linear(2, 1)
    weight = layer.weight
    with pytest.raises((RuntimeError, ValueError)):
        of(m).functional_call(layer, {"weight": m.ones(1, 5)}, m.ones(2))
    assert layer.weight is weight


@both
def test_tied_weights_are_replaced_together_or_not(m):
    first, second = m.nn.Linear(1, 1, bias=False), m.nn.Linear(1, 1, bias=False)
    second.weight = first.weight
    first.weight.data.fill_(2.0)
    net = m.nn.Sequential(first, second)
    call, x = of(m).functional_call, m.tensor([1.0])
    assert call(net, {"0.weight": m.tensor([[3.0]])}, x).tolist() == [9.0]
    assert call(net, {"0.weight": m.tensor([[3.0]])}, x, tie_weights=False).tolist() == [6.0]


def test_names_that_do_not_fit_are_errors_where_asked():
    layer, x = tg.nn.Linear(2, 1), tg.ones(2)
    with pytest.raises(StructureError, match=r"missing \['bias'\], unknown \['b'\]"):
        func.functional_call(layer, {"weight": tg.ones(1, 2), "b": tg.ones(1)}, x, strict=True)
    with pytest.raises(StructureError, match="in two of the dicts"):
        func.functional_call(layer, ({"weight": tg.ones(1, 2)}, {"weight": tg.ones(1, 2)}), x)
    with pytest.raises(DtypeError, match="weight must be a tensor, not int"):
        func.functional_call(layer, {"weight": 3}, x)


@both
def test_an_ensemble_of_models(m):
    models = [m.nn.Linear(2, 1) for _ in range(3)]
    parameters, buffers = of(m).stack_module_state(models)
    assert tuple(parameters["weight"].shape) == (3, 1, 2)
    assert parameters["weight"].is_leaf
    assert parameters["weight"].requires_grad
    assert buffers == {}
    x = m.tensor([1.0, 2.0])
    found = of(m).vmap(lambda p: of(m).functional_call(models[0], p, x))(parameters)
    assert found.tolist() == [model(x).tolist() for model in models]


def test_an_ensemble_needs_models_of_one_kind():
    for models in ([], [tg.nn.Linear(1, 1), tg.nn.Tanh()]):
        with pytest.raises(StructureError, match="all of the same class"):
            func.stack_module_state(models)
