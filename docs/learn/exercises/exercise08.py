"""Exercise 8: write `answer(x, y, steps, rate)`: fit w x to tensors from w = 0 by the engine; return the tensor w.

The loss is the sum of the squared errors.
"""

import tinygrad_poly as tg


def check(answer):
    """The weight has to be right, and must not hold all earlier steps."""
    x = tg.tensor([1.0, 2.0, 3.0])
    w = answer(x, 2 * x, 20, 0.01)
    exact = 2 * (1 - (1 - 0.01 * 2 * 14) ** 20)
    assert abs(w.item() - exact) < 1e-5, f"after 20 steps w is {exact:.6f}, yours is {w.item():.6f}"
    assert w.is_leaf, (
        f"the value is right, but w was computed by {w.grad_fn.name()}: its graph holds all steps before, and grows. "
        "Update it in place inside of no_grad()."
    )


def answer(x, y, steps, rate):
    """The update is no part of the loss: it is not recorded."""
    w = tg.tensor(0.0, requires_grad=True)
    for _ in range(steps):
        w.grad = None
        ((w * x - y) ** 2).sum().backward()
        with tg.no_grad():
            w -= rate * w.grad
    return w


def mistake(x, y, steps, rate):
    """Each new w is computed from the one before, and keeps its graph."""
    w = tg.tensor(0.0, requires_grad=True)
    for _ in range(steps):
        (slope,) = tg.grad(((w * x - y) ** 2).sum(), w)
        w = w - rate * slope
    return w
