"""T3: cubic fit of sin on tensors, gradients by backward().

From: three notebook cells after torch's "Learning PyTorch with Examples", in Korean.
"""

# %% by hand
import math

import numpy as np

x = np.linspace(-math.pi, math.pi, 2000)
y = np.sin(x)
a, b, c, d = -0.3153002274658102, 0.7725937234622204, 0.05439453585628387, -0.0813611940354183

for t in range(2000):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = ((y_pred - y) ** 2).sum()
    if t % 100 == 99:
        print(t, loss)
    slope = 2.0 * (y_pred - y)
    a -= 1e-06 * slope.sum()
    b -= 1e-06 * (slope * x).sum()
    c -= 1e-06 * (slope * x**2).sum()
    d -= 1e-06 * (slope * x**3).sum()

print(a, b, c, d)

# %% by the engine
import math

import tinygrad_poly as torch

x = torch.linspace(-math.pi, math.pi, 2000, dtype=torch.float64)
y = torch.sin(x)
a = torch.tensor(-0.3153002274658102, dtype=torch.float64, requires_grad=True)
b = torch.tensor(0.7725937234622204, dtype=torch.float64, requires_grad=True)
c = torch.tensor(0.05439453585628387, dtype=torch.float64, requires_grad=True)
d = torch.tensor(-0.0813611940354183, dtype=torch.float64, requires_grad=True)

for t in range(2000):
    y_pred = a + b * x + c * x**2 + d * x**3
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
