"""A model that holds its weights itself, and one made of two models."""

import math

import torch
from torch import nn


class Polynomial(nn.Module):
    def __init__(self, degree):
        super().__init__()
        self.degree = degree
        self.bias = nn.Parameter(torch.randn((), dtype=torch.float64))
        self.slope = nn.Parameter(torch.randn((), dtype=torch.float64))
        self.last = nn.Parameter(torch.rand(1, dtype=torch.float64).view(()))

    def forward(self, x):
        return self.bias + self.slope * x + self.last * x**self.degree

    def string(self):
        return f"y = {self.bias.item():.6f} + {self.slope.item():.6f} x + {self.last.item():.6f} x^{self.degree}"


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.low = Polynomial(2)
        self.high = Polynomial(3)

    def forward(self, x):
        return self.scale * (self.low(x) + self.high(x))


torch.manual_seed(4)
model = Two()
print(model)
print(list(model.parameters()))
x = torch.linspace(-math.pi, math.pi, 200, dtype=torch.float64)
y = torch.sin(x)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
criterion = torch.nn.MSELoss()
for step in range(200):
    loss = criterion(model(x), y)
    if step % 50 == 0:
        print(step, round(loss.item(), 9))
    model.zero_grad()
    loss.backward()
    optimizer.step()
for name, parameter in model.named_parameters():
    print(name, parameter.shape == (), parameter.requires_grad, parameter.grad)
print(model.high.string())
with torch.no_grad():
    print(model(x)[:7], model(x).mean(), (model(x) - y).pow(2).sum().item() < 10)
