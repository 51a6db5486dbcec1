"""A cubic fitted to sin(x): the tape recorded once, and printed as a program."""

import math

import tinygrad_poly as tg
from tinygrad_poly.fitting import fit, program


def loss_of(weights, x, y):
    y_pred = weights["a"] + weights["b"] * x + weights["c"] * x**2 + weights["d"] * x**3
    return ((y_pred - y) ** 2).sum()


x = tg.linspace(-math.pi, math.pi, 2000, dtype=tg.float64)
y = tg.sin(x)
start = {"a": 0.1, "b": -0.1, "c": 0.3, "d": -0.2}
print(program(loss_of, start, x, y, lr=1e-6))

result = fit(loss_of, start, x, y, steps=2000, lr=1e-6, log_every=500, compile=True, progress=False)
for step, loss in result.losses.items():
    print(f"{step} {loss:.6f}")
a, b, c, d = (weight.item() for weight in result.params.values())
print(f"y = {a:.6f} + {b:.6f} x + {c:.6f} x^2 + {d:.6f} x^3")
