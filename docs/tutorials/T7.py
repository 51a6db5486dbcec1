"""T7: one weight without an optimizer.

From: notes on PyTorch in Korean: hours of study and scores.
"""

# %% by hand
import numpy as np

x = np.array([1.0, 2.0, 3.0])
y = np.array([1.0, 2.0, 3.0])
W = 0.0

for t in range(11):
    y_pred = W * x
    loss = ((y_pred - y) ** 2).mean()
    print(t, loss)
    slope = 2.0 * (y_pred - y)
    W -= 0.1 * (slope * x).sum() / len(x)

print(W)

# %% by the engine
import tinygrad_poly as torch

x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
y = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
W = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)

for t in range(11):
    y_pred = W * x
    loss = ((y_pred - y) ** 2).mean()
    print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        W -= 0.1 * W.grad
        W.grad = None

print(W.item())
