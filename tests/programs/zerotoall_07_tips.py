"""모두를 위한 딥러닝 시즌 2, lab 7-1: learning rates too large and too small, standardized data, a penalty."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(1)
x_train = torch.FloatTensor([[1, 2, 1], [1, 3, 2], [1, 3, 4], [1, 5, 5], [1, 7, 5], [1, 2, 5], [1, 6, 6], [2, 7, 7]])
y_train = torch.LongTensor([2, 2, 2, 1, 1, 1, 0, 0])
x_test = torch.FloatTensor([[2, 1, 1], [3, 1, 2], [3, 3, 4]])
y_test = torch.LongTensor([2, 2, 2])


class SoftmaxClassifierModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return self.linear(x)


def train(model, optimizer, x_train, y_train):
    nb_epochs = 20
    for epoch in range(nb_epochs):
        prediction = model(x_train)
        cost = F.cross_entropy(prediction, y_train)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        if epoch % 5 == 0:
            print("Epoch {:4d}/{} Cost: {:.6g}".format(epoch, nb_epochs, cost.item()))


def test(model, optimizer, x_test, y_test):
    prediction = model(x_test)
    predicted_classes = prediction.max(1)[1]
    correct_count = (predicted_classes == y_test).sum().item()
    cost = F.cross_entropy(prediction, y_test)
    print("Accuracy: {}% Cost: {:.4f}".format(correct_count / len(y_test) * 100, cost.item()))


for lr in (0.1, 1e5, 1e-10):
    model = SoftmaxClassifierModel()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    if lr > 1:
        losses = []
        for _ in range(3):
            cost = F.cross_entropy(model(x_train), y_train)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            losses.append(cost.item())
        print("it goes up:", losses[0] < 10 < losses[1])
    else:
        train(model, optimizer, x_train, y_train)
        test(model, optimizer, x_test, y_test)

x_train = torch.FloatTensor([[70, 81, 74], [92, 87, 95], [88, 90, 91], [95, 99, 98], [72, 65, 69]])
y_train = torch.FloatTensor([[151], [184], [179], [197], [140]])
mu = x_train.mean(dim=0)
sigma = x_train.std(dim=0)
norm_x_train = (x_train - mu) / sigma
print(mu, sigma)
print(norm_x_train)
for penalty in (False, True):
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), lr=1e-1)
    for epoch in range(20):
        cost = F.mse_loss(model(norm_x_train), y_train)
        if penalty:
            l2_reg = 0
            for param in model.parameters():
                l2_reg += torch.norm(param)
            cost += l2_reg
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        if epoch % 5 == 0:
            print("Epoch {:4d}/{} Cost: {:.5g}".format(epoch + 1, 20, cost.item()))
