"""The first step of the sin fit: drag a weight, and step through the backward pass."""

import math

import tinygrad_poly as tg
from tinygrad_poly import explain

x = tg.linspace(-math.pi, math.pi, 2000, dtype=tg.float64)
y = tg.sin(x)
a, b, c, d = (tg.tensor(value, dtype=tg.float64, requires_grad=True) for value in (0.1, -0.1, 0.3, -0.2))

with explain.recording() as recorded:
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = ((y_pred - y) ** 2).sum()

page = explain.steps(loss, recording=recorded).to_html("One step of the sin fit")
