"""A program for torch: with `import torch`, `import torch.nn as nn` and so on at its top it is the original."""

import tinygrad_poly as torch
import tinygrad_poly.nn as nn
import tinygrad_poly.optim as optim

torch.manual_seed(0)
x = torch.linspace(-1, 1, 50).reshape(-1, 1)
y = torch.sin(3 * x)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.02)

for step in range(301):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"{step:4} {loss.item():.4f}")
