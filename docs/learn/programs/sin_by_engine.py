"""A cubic fitted to sin(x): the derivatives left to the tape."""

import math

import tinygrad_poly as tg

x = tg.linspace(-math.pi, math.pi, 2000, dtype=tg.float64)
y = tg.sin(x)
a, b, c, d = weights = [tg.tensor(start, dtype=tg.float64, requires_grad=True) for start in (0.1, -0.1, 0.3, -0.2)]
rate = 1e-6

for step in range(2000):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = ((y_pred - y) ** 2).sum()
    loss.backward()
    with tg.no_grad():
        for weight in weights:
            weight -= rate * weight.grad
            weight.grad = None
    if step % 500 == 499:
        print(f"{step} {loss.item():.6f}")
a, b, c, d = (weight.item() for weight in weights)
print(f"y = {a:.6f} + {b:.6f} x + {c:.6f} x^2 + {d:.6f} x^3")
