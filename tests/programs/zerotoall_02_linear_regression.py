"""모두를 위한 딥러닝 시즌 2, lab 2: a line through hours and marks, with optim.SGD and then as a module."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

print(torch.manual_seed(1) is not None)
x_train = torch.FloatTensor([[1], [2], [4]])
y_train = torch.FloatTensor([[3], [5], [9]])
print(x_train)
print(x_train.shape)
W = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
print(W, b)
hypothesis = x_train * W + b
print(hypothesis)
print((hypothesis - y_train) ** 2)
cost = torch.mean((hypothesis - y_train) ** 2)
print(cost)
optimizer = optim.SGD([W, b], lr=0.01)
optimizer.zero_grad()
cost.backward()
optimizer.step()
print(W, b)

nb_epochs = 200
for epoch in range(nb_epochs + 1):
    hypothesis = x_train * W + b
    cost = torch.mean((hypothesis - y_train) ** 2)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    if epoch % 50 == 0:
        print(
            "Epoch {:4d}/{} W: {:.3f}, b: {:.3f} Cost: {:.6f}".format(epoch, nb_epochs, W.item(), b.item(), cost.item())
        )


class LinearRegressionModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, x):
        return self.linear(x)


model = LinearRegressionModel()
prediction = model(x_train)
print(prediction)
print(F.mse_loss(prediction, y_train))
optimizer = optim.SGD(model.parameters(), lr=0.01)
for epoch in range(nb_epochs + 1):
    prediction = model(x_train)
    cost = F.mse_loss(prediction, y_train)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    if epoch % 50 == 0:
        params = list(model.parameters())
        W = params[0].item()
        b = params[1].item()
        print("Epoch {:4d}/{} W: {:.3f}, b: {:.3f} Cost: {:.6f}".format(epoch, nb_epochs, W, b, cost.item()))
