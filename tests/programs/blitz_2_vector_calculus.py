"""60-minute blitz, autograd: Q = 3 a³ − b² with a gradient given from outside; what a frozen part does."""

import torch
from torch import nn, optim

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
print(Q)
external_grad = torch.tensor([1.0, 1.0])
Q.backward(gradient=external_grad)
print(9 * a**2 == a.grad)
print(-2 * b == b.grad)
print(a.grad, b.grad)

torch.manual_seed(0)
x = torch.rand(5, 5)
y = torch.rand(5, 5)
z = torch.rand((5, 5), requires_grad=True)
print(f"Does `a` require gradients?: {(x + y).requires_grad}")
print(f"Does `b` require gradients?: {(x + z).requires_grad}")

model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
for param in model.parameters():
    param.requires_grad = False
model[2] = nn.Linear(5, 3)
print(model)
print([(name, p.requires_grad) for name, p in model.named_parameters()])
optimizer = optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
data = torch.rand(4, 6)
labels = torch.rand(4, 3)
before = model[0].weight.clone()
for _ in range(3):
    prediction = model(data)
    loss = (prediction - labels).sum()
    loss.backward()
    optimizer.step()
print(loss)
print((model[0].weight == before).all(), model[0].weight.grad, model[2].bias.grad)
