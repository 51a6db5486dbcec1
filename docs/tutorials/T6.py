"""T6: hours and scores: a line by optim.SGD.

From: notes on PyTorch in Korean: hours of study and scores.
"""

# %% by hand
import numpy as np

x = np.array([1.0, 2.0, 3.0])
y = np.array([2.0, 4.0, 6.0])
W, b = 0.0, 0.0

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
from tinygrad_poly import optim

x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
y = torch.tensor([2.0, 4.0, 6.0], dtype=torch.float64)
W = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
b = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
optimizer = optim.SGD([W, b], lr=0.01)

for t in range(1000):
    y_pred = W * x + b
    loss = ((y_pred - y) ** 2).mean()
    if t % 100 == 0:
        print(t, loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print(W.item(), b.item())
