"""T10: y = 3x with nn.Linear, nn.MSELoss and optim.SGD.

From: notebook in Korean: gradient descent in NumPy, with autograd, and with nn.Module.
"""

# %% by hand
import numpy as np

x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
y = np.array([3.0, 6.0, 9.0, 12.0, 15.0, 18.0])
W, b = 0.36847773149741947, 0.08889647061716249

for t in range(1001):
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
from tinygrad_poly import nn, optim

x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=torch.float64).reshape(-1, 1)
y = torch.tensor([3.0, 6.0, 9.0, 12.0, 15.0, 18.0], dtype=torch.float64).reshape(-1, 1)
model = nn.Linear(1, 1).double()
with torch.no_grad():
    model.weight.fill_(0.36847773149741947)
    model.bias.fill_(0.08889647061716249)
loss_fn = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=0.01)

for t in range(1001):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    if t % 100 == 0:
        print(t, loss.item())
    loss.backward()
    optimizer.step()

print(model.weight.item(), model.bias.item())
