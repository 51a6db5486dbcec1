"""Hours of study and the score they bring, with an optimizer; then one weight with a gradient by hand."""

import torch
import torch.optim as optim

hours = torch.FloatTensor([[1], [2], [3]])
score = torch.FloatTensor([[2], [4], [6]])
W = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
print(hours, W, b)

optimizer = optim.SGD([W, b], lr=0.01)
epochs = 1000
for epoch in range(1, epochs + 1):
    hypothesis = hours * W + b
    cost = torch.mean((hypothesis - score) ** 2)

    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    if epoch % 200 == 0:
        print(f"Epoch {epoch:4d}/{epochs} W: {W.item():.3f}, b: {b.item():.3f}, cost {cost.item():.5f}")
print(hypothesis)
print(W, b, W.grad is None)

x_train = torch.FloatTensor([[1], [2], [3]])
y_train = torch.FloatTensor([[1], [2], [3]])
W = torch.zeros(1)
for epoch in range(11):
    hypothesis = x_train * W
    cost = torch.mean((hypothesis - y_train) ** 2)
    gradient = torch.sum((W * x_train - y_train) * x_train)
    print("Epoch {:4d}/{} W: {:.3f}, cost {:.6f}".format(epoch, 10, W.item(), cost.item()))
    W -= 0.1 * gradient
