import numpy as np
import pytest

from tinygrad_poly.derivatives import windows
from tinygrad_poly.derivatives.reductions import shared
from tinygrad_poly.engine.arrays import total

from ..engine.test_operation import cases_of, is_caught
from .test_special_points import test_a_special_point_is_as_the_table_states_it as check_point


def fold_that_overwrites(g, shape, kernel, stride, dilation):
    result, axis = np.zeros(shape, g.dtype), len(shape) - len(kernel)
    g = g.reshape(*shape[:axis], -1, *g.shape[axis + len(kernel) :])
    for number, part in enumerate(windows._parts(shape, kernel, stride, dilation)):
        result[part] = g[(slice(None),) * axis + (number,)]
    return result


def of_first_example(g, x, w, bias, stride, dilation, groups):
    return windows._to_weights(g[:1], x[:1], w, bias, stride, dilation, groups)


def with_steps_exchanged(g, x, w, bias, stride, dilation, groups):
    return windows._to_input(g, x, w, bias, stride[::-1], dilation[::-1], groups)


def in_one_group(g, x, w, bias, stride, dilation, groups):
    return windows._to_weights(g, x, w, bias, stride, dilation, 1)


WRONG_RULES = {
    "only the first example counts": (1, of_first_example),
    "steps of the other dimension": (0, with_steps_exchanged),
    "groups forgotten": (1, in_one_group),
    "bias: positions forgotten": (2, lambda g, x, *_: total(g, 0)),
    "bias: examples forgotten": (2, lambda g, x, *_: total(g[:1], (0, *range(2, x.ndim)))),
}


@pytest.mark.parametrize(("i", "rule"), WRONG_RULES.values(), ids=WRONG_RULES)
def test_a_wrong_rule_of_convolution_is_noticed(monkeypatch, i, rule):
    rules = list(windows.convolution.rules)
    rules[i] = rule
    monkeypatch.setattr(windows.convolution, "rules", tuple(rules))
    assert is_caught(cases_of(windows.convolution))


def test_a_fold_that_does_not_add_up_is_noticed(monkeypatch):
    monkeypatch.setattr(windows.fold, "forward", fold_that_overwrites)
    for row in (windows.fold, windows.windows, windows.convolution, windows.max_pool):
        assert is_caught(cases_of(row))


def test_a_kernel_with_its_places_in_reverse_order_is_noticed(monkeypatch):
    parts = windows._parts
    monkeypatch.setattr(windows, "_parts", lambda *slide: parts(*slide)[::-1])
    for row in (windows.windows, windows.fold, windows.convolution):
        assert is_caught(cases_of(row))


def test_a_maximum_that_is_shared_is_noticed(monkeypatch):
    def to_all(g, x, y, kernel, stride, dilation):
        seen = windows.windows(x, kernel, stride, dilation)
        return windows.fold(shared(g, seen == y, (-2,)), x.shape, kernel, stride, dilation)

    monkeypatch.setattr(windows.max_pool, "rules", (to_all,))
    with pytest.raises(AssertionError, match="slope"):
        check_point(windows.max_pool, windows.max_pool.special[0], "float64")


def test_windows_and_fold_are_adjoint_for_any_kernel():
    rng = np.random.default_rng(0)
    for _ in range(30):
        kernel, stride, dilation = (tuple(rng.integers(1, 4, 2).tolist()) for _ in range(3))
        shape = (2, *(d * (k - 1) + 1 + int(rng.integers(4)) for k, d in zip(kernel, dilation, strict=True)))
        x = rng.integers(-4, 5, shape).astype(float)
        seen = windows.windows(x, kernel, stride, dilation)
        g = rng.integers(-4, 5, seen.shape).astype(float)
        assert np.sum(seen * g) == np.sum(x * windows.fold(g, shape, kernel, stride, dilation))
