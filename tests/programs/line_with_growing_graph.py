"""A line, its weights replaced by new tensors at each step: the graph grows, and retain_grad hides it."""

import torch

torch.manual_seed(2)
x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=torch.float64)
y = torch.tensor([3.0, 6.0, 9.0, 12.0, 15.0, 18.0], dtype=torch.float64)
w = torch.rand(1, dtype=torch.float64, requires_grad=True)
b = torch.rand(1, dtype=torch.float64, requires_grad=True)
first = w
learning_rate = 0.01

for epoch in range(201):
    estimate = x * w + b
    loss = ((estimate - y) ** 2).mean()

    w.retain_grad()
    b.retain_grad()
    loss.backward()

    w = w - learning_rate * w.grad
    b = b - learning_rate * b.grad
    if epoch % 50 == 0:
        print(
            f"({str(epoch).rjust(4)}/200) cost {round(float(loss), 6)}, W {round(float(w), 7)}, b {round(float(b), 7)}"
        )

print("W {:10f} b {:10f}".format(float(w), float(b)))
print(w, w.is_leaf, w.grad_fn is None)
print(round(float(first.grad), 6))
print(x * w + b)
