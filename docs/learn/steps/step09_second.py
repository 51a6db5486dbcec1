"""Step 9: the derivative of a derivative."""

import tinygrad_poly as tg

x = tg.tensor(2.0, requires_grad=True)
y = x**3
(first,) = tg.grad(y, x, create_graph=True)
(second,) = tg.grad(first, x)
print("x^3 at 2:", y.item(), first.item(), second.item())

# The loss over one weight is a parabola; its second derivative says how large a step may be.
points = tg.tensor([1.0, 2.0, 3.0])
for rate in (0.9 / 14, 1.1 / 14):
    w = tg.tensor(0.0, requires_grad=True)
    for _ in range(30):
        (slope,) = tg.grad(((w * points - points) ** 2).sum(), w)
        with tg.no_grad():
            w -= rate * slope
    print(f"rate {rate:.4f}: w = {w.item():.4f}")
