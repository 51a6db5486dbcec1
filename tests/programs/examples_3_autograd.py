"""Learning PyTorch with Examples, 3: the same two layers, their gradients by backward()."""

import torch

dtype = torch.float
device = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
torch.manual_seed(1)
x = torch.randn(16, 20, device="cpu", dtype=dtype)
y = torch.randn(16, 4, device="cpu", dtype=dtype)
w1 = torch.randn(20, 12, dtype=dtype, requires_grad=True)
w2 = torch.randn(12, 4, dtype=dtype, requires_grad=True)

learning_rate = 1e-4
for t in range(60):
    y_pred = x.mm(w1).clamp(min=0).mm(w2)
    loss = (y_pred - y).pow(2).sum()
    if t % 10 == 9:
        print(t, f"{loss.item():.5g}")
    loss.backward()
    with torch.no_grad():
        w1 -= learning_rate * w1.grad
        w2 -= learning_rate * w2.grad
        w1.grad.zero_()
        w2.grad.zero_()
print(loss.requires_grad, y_pred.requires_grad, w1.requires_grad, x.requires_grad)
print(w1.grad.abs().sum(), w1.is_leaf, y_pred.is_leaf)
print(w2)
