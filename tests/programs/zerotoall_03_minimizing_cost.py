"""모두를 위한 딥러닝 시즌 2, lab 3: the cost over one weight, its gradient by hand, and the optimizer's."""

import numpy as np
import torch
import torch.optim as optim

x_train = torch.FloatTensor([[1], [2], [3]])
y_train = torch.FloatTensor([[2], [4], [6]])
W_l = np.linspace(-3, 7, 5)
cost_l = []
for W in W_l:
    hypothesis = W * x_train
    cost = torch.mean((hypothesis - y_train) ** 2)
    cost_l.append(cost.item())
print([round(cost, 3) for cost in cost_l])

W = 0
gradient = torch.sum((W * x_train - y_train) * x_train)
print(gradient)
W -= 0.1 * gradient
print(W)

W = torch.zeros(1)
lr = 0.05
nb_epochs = 10
for epoch in range(nb_epochs + 1):
    hypothesis = x_train * W
    cost = torch.mean((hypothesis - y_train) ** 2)
    gradient = torch.sum((W * x_train - y_train) * x_train)
    print("Epoch {:4d}/{} W: {:.3f}, Cost: {:.6f}".format(epoch, nb_epochs, W.item(), cost.item()))
    W -= lr * gradient

W = torch.zeros(1, requires_grad=True)
optimizer = optim.SGD([W], lr=0.05)
for epoch in range(nb_epochs + 1):
    hypothesis = x_train * W
    cost = torch.mean((hypothesis - y_train) ** 2)
    print("Epoch {:4d}/{} W: {:.3f} Cost: {:.6f}".format(epoch, nb_epochs, W.item(), cost.item()))
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
