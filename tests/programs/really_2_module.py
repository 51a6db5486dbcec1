"""What is torch.nn really, 2: cross_entropy for the formulas, a module for the weights, nn.Linear, optim."""

import math

import torch
import torch.nn.functional as F
from torch import nn, optim

torch.manual_seed(0)
y_train = torch.arange(96) % 3
x_train = torch.randn(96, 12) + 2 * torch.eye(3, 12)[y_train]
n, bs, lr, epochs = 96, 32, 0.5, 2
loss_func = F.cross_entropy
xb, yb = x_train[:bs], y_train[:bs]


class Mnist_Logistic(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(12, 3) / math.sqrt(12))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, xb):
        return xb @ self.weights + self.bias


model = Mnist_Logistic()
print(model)
print(loss_func(model(xb), yb))


def fit():
    for _ in range(epochs):
        for i in range((n - 1) // bs + 1):
            start_i = i * bs
            xb, yb = x_train[start_i : start_i + bs], y_train[start_i : start_i + bs]
            loss = loss_func(model(xb), yb)
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= p.grad * lr
                model.zero_grad()


fit()
print(loss_func(model(xb), yb))
print(model.weights.grad)


class Linear_Logistic(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(12, 3)

    def forward(self, xb):
        return self.lin(xb)


def get_model():
    model = Linear_Logistic()
    return model, optim.SGD(model.parameters(), lr=lr)


model, opt = get_model()
print(model)
print(loss_func(model(xb), yb))
for _ in range(epochs):
    for i in range((n - 1) // bs + 1):
        start_i = i * bs
        xb, yb = x_train[start_i : start_i + bs], y_train[start_i : start_i + bs]
        loss = loss_func(model(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()
print(loss_func(model(xb), yb))
assert (model(xb).argmax(1) == yb).float().mean() > 0.6
print(model.state_dict())
