import itertools

import array_api_strict as strict
import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.derivatives import joining, shapes
from tinygrad_poly.engine import apply, walk

from ..helpers import both, leaf
from .cases.table import runs
from .checks import Run


@pytest.mark.parametrize("length", [1, 2, 5])
def test_the_inverse_undoes_a_permutation(length):
    for axes in itertools.permutations(range(length)):
        there = tuple(axes[i] for i in shapes.inverse(axes))
        assert there == tuple(range(length))


@pytest.mark.parametrize("row", [joining.cat, joining.stack], ids=str)
@pytest.mark.parametrize("mistake", [lambda g: g * 2, lambda g: -g, lambda g: g * 0], ids=["twice", "negative", "zero"])
@pytest.mark.parametrize("i", [0, 1])
def test_a_wrong_rule_for_any_number_of_inputs_is_noticed(monkeypatch, row, mistake, i):
    rules = list(row.of(2).rules)
    right = rules[i]
    rules[i] = lambda g, *saved: mistake(right(g, *saved))
    monkeypatch.setattr(row.of(2), "rules", tuple(rules))
    noticed = 0
    for case, given in runs():
        if case.row is row.of(2):
            try:
                Run(case, given, "float64").check_gradient()
            except AssertionError:
                noticed += 1
    assert noticed


@pytest.mark.parametrize("repeats", [(0, 3), (2, 0)], ids=str)
def test_no_copies_give_no_gradient(repeats):
    x = leaf(tg, [1.0, 2.0, 3.0])
    x.repeat(*repeats).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


@both
def test_what_a_triangle_leaves_out_does_not_reach_the_gradient(m):
    x = leaf(m, [[1.0, float("nan")], [float("inf"), 2.0]])
    (m.tril(x, -1) + m.triu(x, 1)).backward(m.tensor([[float("nan"), 2.0], [3.0, float("inf")]]))
    assert x.grad.tolist() == [[0.0, 2.0], [3.0, 0.0]]


def test_joined_integers_take_the_floating_dtype_beside_them():
    x = leaf(tg, [1.5])
    for joined in (tg.cat([x, tg.tensor([1])]), tg.stack([tg.tensor([1]), x]), tg.cat([x, np.array([1])])):
        assert joined.dtype == np.float32
        (gradient,) = tg.grad(joined.sum(), x)
        assert gradient.dtype == np.float32
    assert tg.cat([x, x.double()]).dtype == np.float64


def test_an_array_can_be_overwritten_after_it_was_joined():
    x, array = leaf(tg, [1.0]), np.array([2.0])
    y = tg.cat([x, array])
    array[0] = 7.0
    assert y.tolist() == [1.0, 2.0]


PROGRAMS = {
    "flip and roll": lambda x, w: (x.flip(1) * w.roll((1, 1), (0, 1)) * x).sum(),
    "join": lambda x, w: (tg.cat([x, w * x]) * tg.cat((w, w))).sum() + (tg.stack([x * w, w], 1) ** 2).sum(),
    "pad": lambda x, w: (tg.pad(x * w, (1, 2, 0, 1), value=2.0) ** 2).sum(),
    "triangles": lambda x, w: ((x.tril() @ w) * w.triu(1)).sum(),
    "diagonals": lambda x, w: (x.diagonal() * (w * w).diagonal(1)).sum() + (tg.diag(w[0, :]) @ x).sum(),
    "tile": lambda x, w: (x.tile((2, 2)) * w.repeat_interleave(2, 1).tile((2, 1))).sum(),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_on_strict_arrays_gives_the_numbers_of_numpy(program):
    def gradients(xp):
        inputs = [xp.asarray(np.array(a, np.float32)) for a in ([[1, 2], [-3, 5]], [[4, -1], [2, 3]])]
        tensors = [apply.wrap(a, walk.leaf(a)) for a in inputs]
        first = tg.grad(program(*tensors), tensors, create_graph=True)
        second = tg.grad((first[0] * first[0] + first[1] * first[1]).sum(), tensors)
        return [np.asarray(g.array) for g in (*first, *second)]

    for mine, reference in zip(gradients(strict), gradients(np), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_array_equal(mine, reference)
