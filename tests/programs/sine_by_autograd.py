"""The same cubic, its gradients by backward(), in float64 to compare many digits after many steps."""

import math

import torch

dtype = torch.double
device = torch.device("cpu")

torch.manual_seed(1)
x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=dtype)
y = torch.sin(x)

a = torch.randn((), device=device, dtype=dtype, requires_grad=True)
b = torch.randn((), device=device, dtype=dtype, requires_grad=True)
c = torch.randn((), device=device, dtype=dtype, requires_grad=True)
d = torch.randn((), device=device, dtype=dtype, requires_grad=True)
print(a, a.grad, a.is_leaf)

learning_rate = 1e-6
for step in range(1000):
    predicted = a + b * x + c * x**2 + d * x**3
    loss = (predicted - y).pow(2).sum()
    if step % 100 == 99:
        print(step, f"{loss.item():.9g}")
    loss.backward()

    with torch.no_grad():
        a -= learning_rate * a.grad
        b -= learning_rate * b.grad
        c -= learning_rate * c.grad
        d -= learning_rate * d.grad

        a.grad = None
        b.grad = None
        c.grad = None
        d.grad = None

print([round(weight.item(), 9) for weight in (a, b, c, d)])
print(predicted)
print(loss, x)
