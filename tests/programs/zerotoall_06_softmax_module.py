"""모두를 위한 딥러닝 시즌 2, lab 6: seven kinds of animals, with F.one_hot, CrossEntropyLoss and a module."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(1)
rng = np.random.default_rng(3)
kinds = np.arange(35) % 7
animals = (rng.random((35, 16)) < 0.15 + 0.7 * (rng.random((7, 16)) < 0.5)[kinds]).astype(np.float32)
x_train = torch.FloatTensor(animals)
y_train = torch.LongTensor(kinds).squeeze()
print(x_train.shape, x_train[0])
print(y_train.shape, y_train[:8])
nb_class = 7
y_one_hot = F.one_hot(y_train, num_classes=nb_class)
print(y_one_hot[:3], y_one_hot.dtype, y_one_hot.sum(0))
print(torch.zeros(35, nb_class).scatter_(1, y_train.unsqueeze(1), 1).equal(y_one_hot.float()))


class SoftmaxClassifierModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, nb_class)

    def forward(self, x):
        return self.linear(x)


model = SoftmaxClassifierModel()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.1)
nb_epochs = 100
for epoch in range(nb_epochs + 1):
    cost = criterion(model(x_train), y_train)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    if epoch % 25 == 0:
        print("Epoch {:4d}/{} Cost: {:.4f}".format(epoch, nb_epochs, cost.item()))
prediction = model(x_train)
print((prediction.max(1)[1] == y_train).sum().item())
print(F.softmax(prediction, dim=1).max(dim=1).values[:4])
