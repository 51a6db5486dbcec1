"""A cubic through the sine: tensors do the arithmetic, the gradients are worked out on paper."""

import math

import torch

dtype = torch.float
device = torch.device("cpu")

torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=dtype)
y = torch.sin(x)

a = torch.randn((), device=device, dtype=dtype)
b = torch.randn((), device=device, dtype=dtype)
c = torch.randn((), device=device, dtype=dtype)
d = torch.randn((), device=device, dtype=dtype)
print("start", a, b, c, d)

learning_rate = 1e-6
for step in range(300):
    predicted = a + b * x + c * x**2 + d * x**3
    loss = (predicted - y).pow(2).sum().item()
    if step % 100 == 99:
        print(step, f"{loss:.4g}")

    error = 2.0 * (predicted - y)
    slope_a = error.sum()
    slope_b = (error * x).sum()
    slope_c = (error * x**2).sum()
    slope_d = (error * x**3).sum()

    a -= learning_rate * slope_a
    b -= learning_rate * slope_b
    c -= learning_rate * slope_c
    d -= learning_rate * slope_d

print(f"y = {a.item():.4f} + {b.item():.4f} x + {c.item():.4f} x^2 + {d.item():.4f} x^3")
