"""모두를 위한 딥러닝 시즌 2, lab 8-3: exclusive or by four layers and BCELoss."""

import torch

torch.manual_seed(7)
X = torch.FloatTensor([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = torch.FloatTensor([[0], [1], [1], [0]])
linear1 = torch.nn.Linear(2, 10, bias=True)
linear2 = torch.nn.Linear(10, 10, bias=True)
linear3 = torch.nn.Linear(10, 10, bias=True)
linear4 = torch.nn.Linear(10, 1, bias=True)
relu = torch.nn.ReLU()
sigmoid = torch.nn.Sigmoid()
model = torch.nn.Sequential(linear1, relu, linear2, relu, linear3, relu, linear4, sigmoid)
print(model)
criterion = torch.nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(151):
    optimizer.zero_grad()
    hypothesis = model(X)
    cost = criterion(hypothesis, Y)
    cost.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, f"{cost.item():.3f}")
with torch.no_grad():
    predicted = (model(X) > 0.5).float()
    accuracy = (predicted == Y).float().mean()
    print("Accuracy: ", accuracy.item())
print(sum(p.numel() for p in model.parameters()), [tuple(p.shape) for p in model.parameters()][:3])
