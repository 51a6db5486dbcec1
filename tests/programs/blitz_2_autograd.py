"""60-minute blitz, autograd: what is recorded, gradients of numbers and of vectors, what is left out."""

import torch

x = torch.ones(2, 2, requires_grad=True)
print(x)
y = x + 2
print(y)
print(y.grad_fn is not None, y.grad_fn.name())
z = y * y * 3
out = z.mean()
print(z, out)

torch.manual_seed(0)
a = torch.randn(2, 2)
a = (a * 3) / (a - 1)
print(a.requires_grad)
a.requires_grad_(True)
print(a.requires_grad)
b = (a * a).sum()
print(b)
out.backward()
print(x.grad)

x = torch.randn(3, requires_grad=True)
y = x * 2
while y.data.norm() < 1000:
    y = y * 2
print(y / 1000)
v = torch.tensor([0.1, 1.0, 0.0001], dtype=torch.float)
y.backward(v)
print(x.grad)
print(x.requires_grad)
print((x**2).requires_grad)
with torch.no_grad():
    print((x**2).requires_grad)
y = x.detach()
print(y.requires_grad)
print(x.eq(y).all())

# The error of an older part of the tutorial: a second backward needs retain_graph.
out = (x * x).sum()
out.backward(retain_graph=True)
out.backward()
print(x.grad)
try:
    out.backward()
except RuntimeError as error:
    print("not a third time:", isinstance(error, RuntimeError))
