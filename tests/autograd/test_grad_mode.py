"""`set_grad_enabled` and `inference_mode`, as in torch."""

import pytest

import tinygrad_poly as tg

from ..helpers import both, leaf


@both
def test_set_grad_enabled_in_its_three_uses(m):
    found = []
    m.set_grad_enabled(False)
    found.append(m.is_grad_enabled())
    m.set_grad_enabled(True)
    found.append(m.is_grad_enabled())
    with m.set_grad_enabled(False):
        found.append(m.is_grad_enabled())
        with m.set_grad_enabled(mode=True):
            found.append((leaf(m, 1.0) * 2).requires_grad)
        found.append(m.is_grad_enabled())
    found.append(m.is_grad_enabled())

    @m.set_grad_enabled(False)
    def decorated():
        return m.is_grad_enabled()

    found += [m.is_grad_enabled(), decorated(), decorated(), m.is_grad_enabled()]
    with m.no_grad():
        m.set_grad_enabled(True)
        found.append(m.is_grad_enabled())
    found.append(m.is_grad_enabled())
    assert found == [False, True, False, True, False, True, True, False, False, True, True, True]


@both
def test_an_exception_ends_the_mode(m):
    with pytest.raises(ZeroDivisionError), m.set_grad_enabled(False):
        1 / 0
    assert m.is_grad_enabled()


@both
def test_inference_mode_records_nothing(m):
    modes = lambda: (m.is_inference_mode_enabled(), m.is_grad_enabled())  # noqa: E731
    x = leaf(m, 1.0)
    found = [modes()]
    with m.inference_mode():
        found += [modes(), (x * 2).requires_grad]
        with m.no_grad():
            found.append(modes())
        with m.inference_mode(False):
            found.append(modes())

    @m.inference_mode()
    def called():
        return modes()

    @m.inference_mode
    def bare():
        return modes()

    found += [called(), bare(), modes()]
    outside, inside = (False, True), (True, False)
    assert found == [outside, inside, False, inside, outside, inside, inside, outside]


def test_what_was_made_in_inference_mode_is_an_ordinary_tensor():
    x = leaf(tg, 3.0)
    with tg.inference_mode():
        y = x * 2
    (x * y).backward()
    assert x.grad.item() == 6.0
