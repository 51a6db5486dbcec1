"""Exercise 10: write `answer(w, b, x, y)`, step 10's loss and its two derivatives, as a loop without the engine."""

from step10_compiled import slopes

import tinygrad_poly as tg


def check(answer):
    """Compare with the compiled program, on two data sets of different length."""
    for x, y in (([1.0, 2.0, 3.0], [2.0, 4.0, 7.0]), ([0.5, 1.5, 2.5, 3.5, 4.5], [1.0, 0.0, 2.0, 1.0, 3.0])):
        w, b = (tg.tensor(value, dtype=tg.float64, requires_grad=True) for value in (0.5, 0.25))
        exact = slopes(w, b, tg.tensor(x, dtype=tg.float64), tg.tensor(y, dtype=tg.float64))
        for name, mine, engine in zip(("the loss", "d_w", "d_b"), answer(0.5, 0.25, x, y), exact, strict=True):
            assert abs(mine - engine.item()) < 1e-9, (
                f"for {len(x)} points {name} is {engine.item():.6f}, yours is {mine:.6f}. "
                "The loss is a mean: by what is each term divided?"
            )


def answer(w, b, x, y):
    """The mean divides the loss, and so its derivatives."""
    loss = d_w = d_b = 0.0
    for x_i, y_i in zip(x, y):
        error = w * x_i + b - y_i
        loss += error * error / len(x)
        d_w += 2 * error * x_i / len(x)
        d_b += 2 * error / len(x)
    return loss, d_w, d_b


def mistake(w, b, x, y):
    """The mistake of tutorial T7: a mean for the loss, a sum for its derivatives."""
    loss = d_w = d_b = 0.0
    for x_i, y_i in zip(x, y):
        error = w * x_i + b - y_i
        loss += error * error / len(x)
        d_w += error * x_i
        d_b += error
    return loss, d_w, d_b
