"""Step 8: the same program on the engine."""

import tinygrad_poly as tg

x = tg.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=tg.float64)
y = 3 * x
w = tg.tensor(0.5, dtype=tg.float64, requires_grad=True)
b = tg.tensor(0.25, dtype=tg.float64, requires_grad=True)
rate = 0.01

for step in range(1001):
    loss = ((w * x + b - y) ** 2).mean()
    w.grad = b.grad = None
    loss.backward()
    with tg.no_grad():
        w -= rate * w.grad
        b -= rate * b.grad
    if step % 200 == 0:
        print(f"{step:5} loss {loss.item():10.6f}  w {w.item():.4f}  b {b.item():.4f}")
