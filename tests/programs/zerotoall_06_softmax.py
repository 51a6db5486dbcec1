"""모두를 위한 딥러닝 시즌 2, lab 6: softmax and cross entropy, from logarithms to F.cross_entropy."""

import torch
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(1)
z = torch.FloatTensor([1, 2, 3])
hypothesis = F.softmax(z, dim=0)
print(hypothesis)
print(hypothesis.sum())
z = torch.rand(3, 5, requires_grad=True)
hypothesis = F.softmax(z, dim=1)
print(hypothesis)
y = torch.randint(5, (3,)).long()
print(y)
y_one_hot = torch.zeros_like(hypothesis)
print(y_one_hot.scatter_(1, y.unsqueeze(1), 1))
cost = (y_one_hot * -torch.log(hypothesis)).sum(dim=1).mean()
print(cost)
print(torch.log(F.softmax(z, dim=1)))
print(F.log_softmax(z, dim=1))
print((y_one_hot * -torch.log(F.softmax(z, dim=1))).sum(dim=1).mean())
print(F.nll_loss(F.log_softmax(z, dim=1), y))
print(F.cross_entropy(z, y))

x_train = [
    [1, 2, 1, 1],
    [2, 1, 3, 2],
    [3, 1, 3, 4],
    [4, 1, 5, 5],
    [1, 7, 5, 5],
    [1, 2, 5, 6],
    [1, 6, 6, 6],
    [2, 7, 7, 7],
]
y_train = [2, 2, 2, 1, 1, 1, 0, 0]
x_train = torch.FloatTensor(x_train)
y_train = torch.LongTensor(y_train)
nb_epochs = 150
for low_level in (True, False):
    W = torch.zeros((4, 3), requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    optimizer = optim.SGD([W, b], lr=0.05)
    for epoch in range(nb_epochs + 1):
        if low_level:
            hypothesis = F.softmax(x_train.matmul(W) + b, dim=1)
            y_one_hot = torch.zeros_like(hypothesis)
            y_one_hot.scatter_(1, y_train.unsqueeze(1), 1)
            cost = (y_one_hot * -torch.log(hypothesis)).sum(dim=1).mean()
        else:
            cost = F.cross_entropy(x_train.matmul(W) + b, y_train)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        if epoch % 50 == 0:
            print("Epoch {:4d}/{} Cost: {:.5f}".format(epoch, nb_epochs, cost.item()))
print(W)
