"""Exercise 1: write `answer(f, x)`, the slope of f at x, right to eight digits."""

import math


def check(answer):
    """Compare with derivatives that are known: of x^3, of the sine and of the exponential function."""
    for name, f, x, exact in (
        ("x^3", lambda x: x**3, 2.0, 12.0),
        ("sin", math.sin, 1.0, math.cos(1.0)),
        ("exp", math.exp, 1.0, math.e),
    ):
        got = answer(f, x)
        assert abs(got - exact) < 1e-8 * exact, (
            f"the slope of {name} at {x} is {exact:.10f}, yours is {got:.10f}. "
            "Step as far to the left as to the right, with a step that is not too small."
        )


def answer(f, x):
    """Both errors of one step to each side are the same, but for the sign: they cancel."""
    h = 1e-5
    return (f(x + h) - f(x - h)) / (2 * h)


def mistake(f, x):
    """One side only: the error is about half of h times the second derivative."""
    h = 1e-6
    return (f(x + h) - f(x)) / h
