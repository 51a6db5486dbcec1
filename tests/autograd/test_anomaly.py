"""`detect_anomaly`: which operation first produced NaN or an infinity, where, and of what."""

import inspect
import re

import pytest

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.autograd import detect_anomaly
from tinygrad_poly.engine.errors import AnomalyError

from ..helpers import both, leaf


@both
@pytest.mark.filterwarnings(
    "ignore:Anomaly Detection", "ignore:divide by zero", "ignore:invalid value", "ignore:Error detected"
)
def test_nan_in_the_backward_pass_is_an_error(m):
    x = leaf(m, [4.0, 0.0])
    with pytest.raises(RuntimeError, match="Sqrt"), m.autograd.detect_anomaly(check_nan=True):
        (x.sqrt() * 0).sum().backward()
    assert x.grad is None


def here():
    return inspect.currentframe().f_back.f_lineno


def test_the_error_names_operation_line_input_and_place():
    x = leaf(tg, [[4.0, 1.0], [9.0, 0.0]])
    line = here() + 2
    with pytest.raises(AnomalyError) as error, detect_anomaly():
        (x.sqrt() * 3).sum().backward()
    expected = (
        f"the derivative of Sqrt is inf at [1, 1], where input 0 is 0.0; it was computed in {__file__}, line {line}: "
    )
    assert str(error.value).startswith(expected + "(x.sqrt() * 3)")


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
def test_the_forward_pass_is_looked_at_too():
    a, b = leaf(tg, [1.0, 2.0]), leaf(tg, [5.0, 0.0])
    with (
        pytest.raises(AnomalyError, match=r"Div gave inf at \[1\], where input 0 is 2.0, input 1 is 0.0"),
        detect_anomaly(),
    ):
        a / b
    with pytest.raises(AnomalyError, match=r"Log gave nan, where input 0 is -1.0"), detect_anomaly():
        leaf(tg, -1.0).log()
    with detect_anomaly():  # an infinity that was there before is handed on, not made
        assert (leaf(tg, float("inf")) * 2).isinf().all()
        assert leaf(tg, [1.0, 2.0]).masked_fill(tg.tensor([True, False]), float("-inf"))[0].isinf()
    with detect_anomaly(check_nan=False):
        a / b


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_graph_recorded_outside_has_no_line():
    x = leaf(tg, 0.0)
    y = x.sqrt()
    with (
        pytest.raises(AnomalyError, match=r"derivative of Sqrt is inf; .*compute forward in detect_anomaly"),
        detect_anomaly(),
    ):
        y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    assert x.grad.isinf()


def test_transforms_and_second_derivatives_name_the_forward_line():
    with (
        pytest.raises(AnomalyError, match=rf"derivative of Sqrt is inf, where input 0 is 0.0.*{re.escape(__file__)}"),
        detect_anomaly(),
    ):
        func.grad(lambda x: x.sqrt())(tg.tensor(0.0))
    where = rf"{re.escape(__file__)}, line \d+: .*1\.5"  # x^1.5 has no curvature at 0
    with pytest.raises(AnomalyError, match=where), detect_anomaly():
        func.grad(func.grad(lambda x: x**1.5))(tg.tensor(0.0))


def test_custom_functions_are_watched():
    class Bad(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            return g / 0.0

    with (
        pytest.raises(AnomalyError, match=r"derivative of Bad is inf at \[0\], where input 0 is 1.0"),
        detect_anomaly(),
    ):
        Bad.apply(leaf(tg, [1.0, 2.0]))[0].sum().backward()


def test_gradients_are_those_without_and_graphs_can_be_walked_again():
    x = leaf(tg, [1.0, 2.0])
    with detect_anomaly():
        y = (x.exp() * x).sum()
        assert y.grad_fn.name() == "SumBackward0"
        y.backward(retain_graph=True)
    first = x.grad.tolist()
    y.backward()
    assert x.grad.tolist() == [2 * g for g in first]
    x.grad = None
    (x.exp() * x).sum().backward()
    assert x.grad.tolist() == first


@pytest.mark.filterwarnings(
    "ignore:divide by zero", "ignore:Anomaly Detection", "ignore:Error detected", "ignore:invalid"
)
@both
def test_anomalies_can_be_looked_for_from_here_on(m):
    def fails():
        try:
            (leaf(m, 0.0).sqrt() * 0).backward()
        except RuntimeError:
            return True
        return False

    found = [fails()]
    m.autograd.set_detect_anomaly(True)
    found.append(fails())
    m.autograd.set_detect_anomaly(False)
    found.append(fails())
    with m.autograd.set_detect_anomaly(True):
        found.append(fails())
        with m.autograd.set_detect_anomaly(False):
            found.append(fails())
        found.append(fails())
    found.append(fails())
    assert found == [False, True, False, True, False, True, False]
