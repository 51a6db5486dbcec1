"""T5: cubic fit of sin in pictures, a x³ + b x² + c x + d.

From: "30일 차: 사인함수 그래프 예측하기", blog Hello MLop.
"""

# %% by hand
import math

import numpy as np

x = np.linspace(-math.pi, math.pi, 1000)
y = np.sin(x)
a, b, c, d = 0.10490011715303971, 0.6404226504432821, -0.1321048632913019, 0.1257302210933933

for t in range(2000):
    y_pred = a * x**3 + b * x**2 + c * x + d
    loss = ((y_pred - y) ** 2).sum()
    if t % 100 == 99:
        print(t, loss)
    slope = 2.0 * (y_pred - y)
    a -= 1e-06 * (slope * x**3).sum()
    b -= 1e-06 * (slope * x**2).sum()
    c -= 1e-06 * (slope * x).sum()
    d -= 1e-06 * slope.sum()

print(a, b, c, d)

# %% by the engine
import math

import tinygrad_poly as torch

x = torch.linspace(-math.pi, math.pi, 1000, dtype=torch.float64)
y = torch.sin(x)
a = torch.tensor(0.10490011715303971, dtype=torch.float64, requires_grad=True)
b = torch.tensor(0.6404226504432821, dtype=torch.float64, requires_grad=True)
c = torch.tensor(-0.1321048632913019, dtype=torch.float64, requires_grad=True)
d = torch.tensor(0.1257302210933933, dtype=torch.float64, requires_grad=True)

for t in range(2000):
    y_pred = a * x**3 + b * x**2 + c * x + d
    loss = ((y_pred - y) ** 2).sum()
    if t % 100 == 99:
        print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        a -= 1e-06 * a.grad
        b -= 1e-06 * b.grad
        c -= 1e-06 * c.grad
        d -= 1e-06 * d.grad
        a.grad = None
        b.grad = None
        c.grad = None
        d.grad = None

print(a.item(), b.item(), c.item(), d.item())
