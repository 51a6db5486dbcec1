"""Learning PyTorch with Examples, 4: an operation of one's own, the Legendre polynomial of degree three."""

import math

import torch


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


dtype = torch.float
x = torch.linspace(-math.pi, math.pi, 2000, dtype=dtype)
y = torch.sin(x)
a = torch.full((), 0.0, dtype=dtype, requires_grad=True)
b = torch.full((), -1.0, dtype=dtype, requires_grad=True)
c = torch.full((), 0.0, dtype=dtype, requires_grad=True)
d = torch.full((), 0.3, dtype=dtype, requires_grad=True)

learning_rate = 5e-6
for t in range(300):
    P3 = LegendrePolynomial3.apply
    y_pred = a + b * P3(c + d * x)
    loss = (y_pred - y).pow(2).sum()
    if t % 50 == 49:
        print(t, f"{loss.item():.5g}")
    loss.backward()
    with torch.no_grad():
        for w in (a, b, c, d):
            w -= learning_rate * w.grad
            w.grad = None
print(f"Result: y = a + {b.item():.5f} * P3(c + {d.item():.5f} x)", abs(a.item()) < 1e-6, abs(c.item()) < 1e-6)
z = P3(torch.tensor([0.0, 0.5, 1.0], requires_grad=True))
print(z)
print(z.requires_grad, z.is_leaf, z.grad_fn.name())
# The derivative on paper, against difference quotients and against the same formula without a Function.
points = torch.tensor([-0.5, 0.25, 0.75], dtype=torch.double, requires_grad=True)
(slope,) = torch.autograd.grad(P3(points).sum(), points, create_graph=True)
print(slope)
print(torch.autograd.grad(slope.sum(), points))
