"""Step 1: the slope of a function, measured."""


def f(x):
    """A curve whose slope at x is 2 x."""
    return x * x


def slope(f, x, h):
    """How much f rises between x and x + h, for each unit of h."""
    return (f(x + h) - f(x)) / h


for h in (1.0, 0.1, 0.001, 1e-6, 1e-9, 1e-12, 1e-15):
    print(f"h = {h:<6g} slope {slope(f, 3.0, h):.6f}")
