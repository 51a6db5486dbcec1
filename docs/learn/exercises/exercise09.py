"""Exercise 9: write `answer(x)`, the largest learning rate for the loss sum((w x - y)^2) that is still stable."""

import tinygrad_poly as tg


def check(answer):
    """Descend with a little less, which has to converge, and with a little more, which must not."""
    for numbers in ([1.0, 2.0, 3.0], [0.5, -4.0]):
        x = tg.tensor(numbers, dtype=tg.float64)
        rate = float(answer(x))
        assert descend(x, 0.99 * rate) < 1, f"for x = {numbers} your {rate:.6f} is too much: the descent diverges"
        assert descend(x, 1.01 * rate) > 1, f"for x = {numbers} more than your {rate:.6f} converges, too"


def descend(x, rate):
    """How far from the optimum 50 steps end, as a part of where they began."""
    w = tg.tensor(0.0, dtype=tg.float64, requires_grad=True)
    for _ in range(50):
        (slope,) = tg.grad(((w * x - 3 * x) ** 2).sum(), w)
        with tg.no_grad():
            w -= rate * slope
    return abs(w.item() - 3) / 3


def answer(x):
    """A step multiplies the distance by 1 - rate * curvature, which is -1 at 2 / curvature."""
    w = tg.tensor(0.0, dtype=x.dtype, requires_grad=True)
    (slope,) = tg.grad(((w * x) ** 2).sum(), w, create_graph=True)
    (curvature,) = tg.grad(slope, w)
    return 2 / curvature


def mistake(x):
    """Such a rate arrives in one step: it is the best one, not the largest."""
    return answer(x) / 2
