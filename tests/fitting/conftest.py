import math

import pytest

import tinygrad_poly as tg


class Sine:
    """The tutorials' problem: a cubic to sin(x), by the sum of squared errors."""

    def __init__(self, dtype, points=2000):
        self.x = tg.linspace(-math.pi, math.pi, points, dtype=dtype)
        self.y = tg.sin(self.x)
        self.start = {name: tg.tensor(w, dtype=dtype) for name, w in zip("abcd", (0.5, -0.3, 0.2, 0.1), strict=True)}

    @staticmethod
    def loss(params, x, y):
        return (params["a"] + params["b"] * x + params["c"] * x**2 + params["d"] * x**3 - y).pow(2).sum()

    @property
    def arguments(self):
        return self.loss, self.start, self.x, self.y


@pytest.fixture
def sine():
    return Sine(tg.float64)


@pytest.fixture
def sine_in_float32():
    return Sine(tg.float32)
