"""micrograd's lecture: one neuron's gradients by torch, operation by operation, and a small net of neurons."""

import math

import torch


def f(x):
    return 3 * x**2 - 4 * x + 5


h = 0.000001
print(f"{(f(3.0 + h) - f(3.0)) / h:.4f}")
x = torch.tensor(3.0, requires_grad=True)
f(x).backward()
print(x.grad)

x1 = torch.Tensor([2.0]).double()
x1.requires_grad = True
x2 = torch.Tensor([0.0]).double()
x2.requires_grad = True
w1 = torch.Tensor([-3.0]).double()
w1.requires_grad = True
w2 = torch.Tensor([1.0]).double()
w2.requires_grad = True
b = torch.Tensor([6.8813735870195432]).double()
b.requires_grad = True
n = x1 * w1 + x2 * w2 + b
o = torch.tanh(n)
print(round(o.data.item(), 9))
o.backward()
print("---")
print("x2", round(x2.grad.item(), 9))
print("w2", w2.grad.item())
print("x1", round(x1.grad.item(), 9))
print("w1", round(w1.grad.item(), 9))
print(o, o.item() == o.data.item(), o.dtype)

# The same through exp, and what torch says about it.
n = (x1 * w1 + x2 * w2 + b).detach().requires_grad_()
e = (2 * n).exp()
o = (e - 1) / (e + 1)
o.backward()
print(n.grad, 1 - math.tanh(n.item()) ** 2 - n.grad.item() < 1e-12)

# A node used twice gets both gradients.
a = torch.tensor(3.0, requires_grad=True)
b = a + a
b.backward()
print(a.grad)

xs = torch.tensor([[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]])
ys = torch.tensor([1.0, -1.0, -1.0, 1.0])
torch.manual_seed(3)
sizes = [3, 4, 4, 1]
weights = [(torch.rand(i, j) * 2 - 1).requires_grad_() for i, j in zip(sizes, sizes[1:])]
biases = [(torch.rand(j) * 2 - 1).requires_grad_() for j in sizes[1:]]
print(sum(p.nelement() for p in weights + biases))
for k in range(20):
    act = xs
    for w, b in zip(weights, biases):
        act = torch.tanh(act @ w + b)
    ypred = act.squeeze(1)
    loss = sum((yout - ygt) ** 2 for ygt, yout in zip(ys, ypred))
    for p in weights + biases:
        p.grad = None
    loss.backward()
    for p in weights + biases:
        p.data += -0.1 * p.grad
    if k % 5 == 4:
        print(k, f"{loss.item():.3f}")
print(ypred.data)
