"""A line through six points: the derivatives left to the tape, the update to an optimizer."""

import tinygrad_poly as torch

x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=torch.float64)
y = 3 * x
w = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
b = torch.tensor(0.25, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.SGD([w, b], lr=0.01)

for step in range(1001):
    loss = ((w * x + b - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 500 == 0:
        print(f"{step} {loss.item():.6f}")
print(f"y = {w.item():.6f} x + {b.item():.6f}")
