"""모두를 위한 딥러닝 시즌 2, lab 4-1: three marks for a fourth, with three weights, with a matrix, with a module."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(1)
x_train = torch.FloatTensor([[70, 81, 74], [92, 87, 95], [88, 90, 91], [95, 99, 98], [72, 65, 69]])
y_train = torch.FloatTensor([[151], [184], [179], [197], [140]])
x1_train, x2_train, x3_train = x_train.split(1, dim=1)
w1 = torch.zeros(1, requires_grad=True)
w2 = torch.zeros(1, requires_grad=True)
w3 = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
optimizer = optim.SGD([w1, w2, w3, b], lr=1e-5)
nb_epochs = 40
for epoch in range(nb_epochs + 1):
    hypothesis = x1_train * w1 + x2_train * w2 + x3_train * w3 + b
    cost = torch.mean((hypothesis - y_train) ** 2)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    if epoch % 10 == 0:
        print(
            "Epoch {:4d}/{} w1: {:.3f} w2: {:.3f} w3: {:.3f} b: {:.3f} Cost: {:.3f}".format(
                epoch, nb_epochs, w1.item(), w2.item(), w3.item(), b.item(), cost.item()
            )
        )

print(x_train.shape)
print(y_train.shape)
W = torch.zeros((3, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)
optimizer = optim.SGD([W, b], lr=1e-5)
for epoch in range(21):
    hypothesis = x_train.matmul(W) + b
    cost = torch.mean((hypothesis - y_train) ** 2)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    if epoch % 5 == 0:
        print(
            "Epoch {:4d}/{} hypothesis: {} Cost: {:.2f}".format(
                epoch, 20, (hypothesis / 100).squeeze().detach(), cost.item()
            )
        )


class MultivariateLinearRegressionModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)

    def forward(self, x):
        return self.linear(x)


model = MultivariateLinearRegressionModel()
print(model)
optimizer = optim.SGD(model.parameters(), lr=1e-5)
for epoch in range(21):
    prediction = model(x_train)
    cost = F.mse_loss(prediction, y_train)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    if epoch % 5 == 0:
        print("Epoch {:4d}/{} Cost: {:.3g}".format(epoch, 20, cost.item()))
