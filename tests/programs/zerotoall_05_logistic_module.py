"""모두를 위한 딥러닝 시즌 2, lab 5: the same with nn.Sigmoid and F.binary_cross_entropy."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(1)
x_train = torch.randn(40, 8)
y_train = (x_train[:, [0]] - 0.5 * x_train[:, [3]] + 0.3 * torch.randn(40, 1) > 0).float()
print(x_train[0:2])
print(y_train[0:5])


class BinaryClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.linear(x))


model = BinaryClassifier()
print(model)
optimizer = optim.SGD(model.parameters(), lr=1)
nb_epochs = 60
for epoch in range(nb_epochs + 1):
    hypothesis = model(x_train)
    cost = F.binary_cross_entropy(hypothesis, y_train)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    if epoch % 10 == 0:
        prediction = hypothesis >= torch.FloatTensor([0.5])
        correct_prediction = prediction.float() == y_train
        accuracy = correct_prediction.sum().item() / len(correct_prediction)
        print("Epoch {:4d}/{} Cost: {:.6f} Accuracy {:2.2f}%".format(epoch, nb_epochs, cost.item(), accuracy * 100))
