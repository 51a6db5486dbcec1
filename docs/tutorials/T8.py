"""T8: y = 3x in NumPy, gradients by hand.

From: notebook in Korean: gradient descent in NumPy, with autograd, and with nn.Module.
"""

# %% by hand
import numpy as np

x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
y = np.array([3.0, 6.0, 9.0, 12.0, 15.0, 18.0])
W, b = 0.28013741824440785, 0.5013200196705186

for t in range(1000):
    y_pred = W * x + b
    loss = ((y_pred - y) ** 2).mean()
    if t % 100 == 0:
        print(t, loss)
    slope = 2.0 * (y_pred - y)
    W -= 0.01 * (slope * x).sum() / len(x)
    b -= 0.01 * slope.sum() / len(x)

print(W, b)

# %% by the engine
import tinygrad_poly as torch

x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=torch.float64)
y = torch.tensor([3.0, 6.0, 9.0, 12.0, 15.0, 18.0], dtype=torch.float64)
W = torch.tensor(0.28013741824440785, dtype=torch.float64, requires_grad=True)
b = torch.tensor(0.5013200196705186, dtype=torch.float64, requires_grad=True)

for t in range(1000):
    y_pred = W * x + b
    loss = ((y_pred - y) ** 2).mean()
    if t % 100 == 0:
        print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        W -= 0.01 * W.grad
        b -= 0.01 * b.grad
        W.grad = None
        b.grad = None

print(W.item(), b.item())
