"""Exercise 2: write `answer(a, b, x, y)`, the derivatives of (a + b x - y)^2 with respect to a and to b, as a pair."""


def check(answer):
    """Compare with difference quotients at three points."""
    h = 1e-6
    for a, b, x, y in ((1.0, 2.0, 3.0, 4.0), (0.5, -1.0, 2.0, 0.0), (0.0, 0.0, -3.0, 6.0)):
        got = answer(a, b, x, y)
        for name, value, (da, db) in zip("ab", got, ((h, 0), (0, h))):
            higher, lower = ((a + da * s + (b + db * s) * x - y) ** 2 for s in (1, -1))
            measured = (higher - lower) / (2 * h)
            assert abs(value - measured) < 1e-6, (
                f"at a={a}, b={b}, x={x}, y={y} the derivative with respect to {name} is {measured:.4f}, "
                f"yours is {value:.4f}. What is multiplied by {name} on the way to the error?"
            )


def answer(a, b, x, y):
    """The error changes by 1 for each unit of a, and by x for each unit of b."""
    d_error = 2 * (a + b * x - y)
    return d_error, d_error * x


def mistake(a, b, x, y):
    """The last factor of the chain was forgotten."""
    d_error = 2 * (a + b * x - y)
    return d_error, d_error
