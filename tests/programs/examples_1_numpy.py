"""Learning PyTorch with Examples, 1: a cubic through the sine, arrays of NumPy and gradients by hand."""

import math

import numpy as np
import torch

x = np.linspace(-math.pi, math.pi, 2000)
y = np.sin(x)
np.random.seed(0)
a, b, c, d = np.random.randn(), np.random.randn(), np.random.randn(), np.random.randn()

learning_rate = 1e-6
for t in range(400):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = np.square(y_pred - y).sum()
    if t % 100 == 99:
        print(t, f"{loss:.9g}")

    grad_y_pred = 2.0 * (y_pred - y)
    grads = [grad_y_pred.sum(), (grad_y_pred * x).sum(), (grad_y_pred * x**2).sum(), (grad_y_pred * x**3).sum()]
    a -= learning_rate * grads[0]
    b -= learning_rate * grads[1]
    c -= learning_rate * grads[2]
    d -= learning_rate * grads[3]
print(f"Result: y = {a:.8f} + {b:.8f} x + {c:.8f} x^2 + {d:.8f} x^3")

# What the next chapters leave to autograd.
w = torch.from_numpy(np.array([a, b, c, d])).requires_grad_()
powers = torch.stack([torch.from_numpy(x) ** k for k in range(4)], dim=1)
print(w.dtype, powers.shape, powers.dtype)
((powers @ w - torch.from_numpy(y)) ** 2).sum().backward()
print(w.grad)
