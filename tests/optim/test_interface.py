"""The optimizers' interface is torch's: parameters and groups, gradients, states, and what is refused."""

import array_api_strict as strict
import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, GraphError

from ..helpers import DTYPES, assert_like, both, leaf
from .choices import OPTIMIZERS


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_of_gradient_descent_are_torchs(dtype):
    # Powers of two and small whole numbers: every step is exact.
    found = []
    for m in (tg, torch):
        w, b = (m.tensor(v, dtype=getattr(m, dtype), requires_grad=True) for v in ([2.0, -4.0], 8.0))
        optimizer = m.optim.SGD([w, b], lr=0.25)
        for _ in range(4):
            optimizer.zero_grad()
            (w * w + b * w).sum().backward()
            optimizer.step()
        found.append([w, b, w.grad, b.grad])
    for mine, reference in zip(*found, strict=True):
        assert_like(mine, reference)


@both
def test_a_step_changes_the_parameter_itself(m):
    w = leaf(m, [1.0])
    alias = w
    optimizer = m.optim.SGD([w], lr=0.5)
    (w * 4).sum().backward()
    optimizer.step()
    assert alias.tolist() == [-1.0]
    assert (w.is_leaf, w.requires_grad) == (True, True)
    (w * 3).sum().backward()
    assert w.grad.tolist() == [7.0]  # accumulates until zero_grad


@both
def test_parameters_without_a_gradient_stay(m):
    used, unused, frozen = leaf(m, [1.0]), leaf(m, [2.0]), m.tensor([3.0])
    optimizer = m.optim.SGD([used, unused, frozen], lr=1.0)
    used.sum().backward()
    optimizer.step()
    assert [t.item() for t in (used, unused, frozen)] == [0.0, 2.0, 3.0]


@both
def test_zero_grad_forgets(m):
    w = leaf(m, [1.0])
    optimizer = m.optim.SGD(iter([w]), lr=1.0)
    for bad in (1.0, float("nan"), float("inf")):
        (w * bad).sum().backward()
        optimizer.zero_grad(set_to_none=False)
        assert w.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert w.grad is None


@both
def test_the_default_learning_rate_is_torchs(m):
    w = leaf(m, [1.0])
    optimizer = m.optim.SGD([w])
    w.sum().backward()
    optimizer.step()
    assert w.item() == pytest.approx(0.999, abs=2.0**-24)


@pytest.mark.parametrize("lr", [0.1, np.float64(0.1), np.float32(0.1), 1, np.int64(1)], ids=repr)
def test_the_learning_rate_never_promotes(lr):
    w = leaf(tg, [1.0, 2.0])
    optimizer = tg.optim.SGD([w], lr=lr)
    w.sum().backward()
    optimizer.step()
    assert (w.dtype, w.grad.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_array_library_will_do(name):
    found = []
    for make in (np.asarray, strict.asarray):
        w = tg.tensor([1.0, 2.0], dtype=tg.float64)
        w.array = make(w.array)
        w.requires_grad_()
        optimizer = getattr(tg.optim, name)([w], lr=0.125)

        def closure(w=w, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            return float(loss.array)

        for _ in range(3):
            optimizer.step(closure)
        assert type(w.array) is type(make(np.zeros(2)))
        found.append(np.asarray(w.array).tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize("lr", [np.float64(0.1), np.float32(0.1)], ids=repr)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_learning_rate_set_by_hand_never_promotes(name, lr):
    w = leaf(tg, [1.0, 2.0])
    optimizer = getattr(tg.optim, name)([w])
    optimizer.param_groups[0]["lr"] = lr

    def closure():
        w.grad = None
        loss = (w * w).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert w.dtype == np.float32


def test_a_step_after_recording_does_not_disturb_the_graph():
    w = leaf(tg, 3.0)
    y = w * w
    optimizer = tg.optim.SGD([w], lr=0.5)
    (w * 2).backward()
    optimizer.step()
    w.grad = None
    y.backward()
    assert (w.item(), w.grad.item()) == (2.0, 6.0)


def test_the_state_holds_the_learning_rate():
    first, second = (tg.optim.SGD([leaf(tg, 1.0)], lr=lr) for lr in (0.5, 0.1))
    second.load_state_dict(first.state_dict())
    assert second.lr == 0.5


# misuse


@both
def test_a_tensor_instead_of_a_list_is_refused(m):
    with pytest.raises(TypeError):
        m.optim.SGD(leaf(m, [1.0]), lr=0.1)


@both
def test_no_parameters_are_refused(m):
    with pytest.raises(ValueError, match=r"empty|none"):
        m.optim.SGD([], lr=0.1)


@both
def test_a_computed_tensor_is_refused(m):
    with pytest.raises((ValueError, RuntimeError)):
        m.optim.SGD([leaf(m, 1.0) * 2], lr=0.1)


@both
def test_what_is_no_tensor_is_refused(m):
    with pytest.raises(TypeError):
        m.optim.SGD([1.0], lr=0.1)


@both
def test_a_negative_learning_rate_is_refused(m):
    with pytest.raises(ValueError, match="-1"):
        m.optim.SGD([leaf(m, 1.0)], lr=-1)


def test_refusals_say_what_to_write_instead():
    with pytest.raises(DtypeError, match=r"\[w\]"):
        tg.optim.SGD(leaf(tg, 1.0), lr=0.1)
    with pytest.raises(GraphError, match="detach"):
        tg.optim.SGD([leaf(tg, 1.0), leaf(tg, 1.0) * 2], lr=0.1)
    with pytest.raises(DtypeError, match="parameter 1"):
        tg.optim.SGD([leaf(tg, 1.0), 5], lr=0.1)
    with pytest.raises(ValueError, match="nan"):
        tg.optim.SGD([leaf(tg, 1.0)], lr=float("nan"))
    with pytest.raises(NotImplementedError):
        tg.optim.Optimizer([leaf(tg, 1.0)], {"lr": 0.1}).step()
