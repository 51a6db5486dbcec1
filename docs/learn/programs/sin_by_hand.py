"""A cubic fitted to sin(x): the four derivatives worked out on paper."""

import numpy as np

x = np.linspace(-np.pi, np.pi, 2000)
y = np.sin(x)
a, b, c, d = 0.1, -0.1, 0.3, -0.2
rate = 1e-6

for step in range(2000):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = ((y_pred - y) ** 2).sum()
    d_pred = 2 * (y_pred - y)
    d_a = d_pred.sum()
    d_b = (d_pred * x).sum()
    d_c = (d_pred * x**2).sum()
    d_d = (d_pred * x**3).sum()
    a -= rate * d_a
    b -= rate * d_b
    c -= rate * d_c
    d -= rate * d_d
    if step % 500 == 499:
        print(f"{step} {loss:.6f}")
print(f"y = {a:.6f} + {b:.6f} x + {c:.6f} x^2 + {d:.6f} x^3")
