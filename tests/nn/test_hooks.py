"""Hooks of modules: before and after `forward`, and where gradients pass, as in torch."""

import pytest

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from ..helpers import both


def line(m, **hooks):
    """y = x · (1, 1) with hooks by kind, and a batch of three."""
    layer = m.nn.Linear(2, 1, bias=False)
    layer.weight.data.fill_(1.0)
    for kind, hook in hooks.items():
        getattr(layer, f"register_{kind}_hook")(hook)
    return layer, m.ones(3, 2, requires_grad=True)


def run(m, **hooks):
    layer, x = line(m, **hooks)
    y = layer(x)
    (y * 2).sum().backward()
    return [t.tolist() for t in (y[0], x.grad[0], layer.weight.grad)]


REPLACED = {
    "arguments": ({"forward_pre": lambda m, args: args[0] * 2}, [[4.0], [4.0, 4.0], [[12.0, 12.0]]]),
    "a tuple of arguments": ({"forward_pre": lambda m, args: (args[0] * 2,)}, [[4.0], [4.0, 4.0], [[12.0, 12.0]]]),
    "the output": ({"forward": lambda m, args, y: y * 3}, [[6.0], [6.0, 6.0], [[18.0, 18.0]]]),
    "grad_input": ({"full_backward": lambda m, gi, go: (gi[0] * 10,)}, [[2.0], [20.0, 20.0], [[6.0, 6.0]]]),
    "grad_output": ({"full_backward_pre": lambda m, go: (go[0] * 5,)}, [[2.0], [10.0, 10.0], [[30.0, 30.0]]]),
}


@both
@pytest.mark.parametrize(("hooks", "expected"), REPLACED.values(), ids=REPLACED)
def test_what_a_hook_returns_takes_the_place(m, hooks, expected):
    assert run(m, **hooks) == expected


@both
def test_hooks_that_only_look_change_nothing(m):
    told = []
    kinds = ("forward_pre", "forward", "full_backward_pre", "full_backward")
    hooks = {kind: lambda module, *values, kind=kind: told.append((kind, len(values))) for kind in kinds}
    assert run(m, **hooks) == [[2.0], [2.0, 2.0], [[6.0, 6.0]]]
    assert told == [("forward_pre", 1), ("forward", 2), ("full_backward_pre", 1), ("full_backward", 2)]


@both
def test_gradients_of_inputs_and_outputs_by_position(m):
    class Two(m.nn.Module):
        def forward(self, a, n, b):
            return a * 2, n, a * b

    told = []
    module = Two()
    module.register_full_backward_hook(lambda module, *grads: told.append(grads))
    a, b = m.tensor(2.0, requires_grad=True), m.tensor(3.0, requires_grad=True)
    module(a, "n", b)[2].backward()
    ((inputs, outputs),) = told
    assert [g if g is None else g.item() for g in (*inputs, *outputs)] == [3.0, None, 2.0, None, None, 1.0]


@both
@pytest.mark.filterwarnings("ignore:Full backward hook")
def test_without_inputs_that_require_grad_the_hook_is_called_with_the_output(m):
    told = []
    layer, x = line(m, full_backward=lambda module, gi, go: told.append((gi, go[0].tolist())))
    layer(x.detach()).sum().backward()
    assert told == [((None,), [[1.0]] * 3)]


@both
def test_a_handle_removes_a_hook_and_hooks_come_in_order(m):
    told = []
    layer, x = line(m)
    first = layer.register_forward_hook(lambda *_: told.append(1))
    layer.register_forward_hook(lambda *_: told.append(2))
    layer(x)
    first.remove()
    layer(x)
    assert told == [1, 2, 2]


@both
def test_activations_of_a_network_are_collected(m):
    seen = {}
    net = m.nn.Sequential(m.nn.Linear(2, 3), m.nn.Tanh(), m.nn.Linear(3, 1))
    for name, module in net.named_children():
        module.register_forward_hook(lambda module, args, y, name=name: seen.update({name: tuple(y.shape)}))
    net(m.ones(4, 2))
    assert seen == {"0": (4, 3), "1": (4, 3), "2": (4, 1)}


NONSENSE = {
    "a number for the arguments": ({"forward_pre": lambda m, a: 3}, DtypeError, "forward pre-hook.*of Linear returned"),
    "text for the output": ({"forward": lambda m, a, y: "x"}, DtypeError, "forward hook.*of Linear returned 'x'"),
    "a tensor for a tuple": ({"full_backward": lambda m, gi, go: gi[0]}, ShapeError, "tuple of 1 as grad_input"),
    "two for one": ({"full_backward_pre": lambda m, go: go * 2}, ShapeError, "tuple of 1 as grad_output.*tuple of 2"),
    "another shape": ({"full_backward": lambda m, gi, go: go}, ShapeError, r"backward hook.*shape \(3, 1\)"),
    "a number": ({"full_backward": lambda m, gi, go: (1.0,)}, DtypeError, "must return a tensor or None, not float"),
}


@pytest.mark.parametrize(("hooks", "error", "message"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_from_a_hook_is_an_error_that_names_it(hooks, error, message):
    with pytest.raises(error, match=message):
        run(tg, **hooks)


def test_a_compiled_function_calls_the_hooks_that_are_there_and_notices_others():
    layer, x = line(tg)
    compiled = tg.compile(lambda x: layer(x).sum())
    assert compiled(x).item() == 6.0
    handle = layer.register_forward_hook(lambda m, a, y: y * 10)
    assert compiled(x).item() == 60.0
    handle.remove()
    assert compiled(x).item() == 6.0
