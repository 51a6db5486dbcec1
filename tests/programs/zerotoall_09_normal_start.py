"""모두를 위한 딥러닝 시즌 2, lab 9-2: three layers that start with wide normal weights, trained by Adam."""

import random

import torch

random.seed(111)
torch.manual_seed(777)
learning_rate = 0.01
training_epochs = 4
batch_size = 20
shapes = torch.rand(10, 64)
labels = torch.arange(100) % 10
images = (0.7 * shapes[labels] + 0.3 * torch.rand(100, 64)).view(-1, 8, 8)
dataset = torch.utils.data.TensorDataset(images, labels)
data_loader = torch.utils.data.DataLoader(dataset=dataset, batch_size=batch_size, shuffle=False, drop_last=True)

linear1 = torch.nn.Linear(64, 32, bias=True)
linear2 = torch.nn.Linear(32, 32, bias=True)
linear3 = torch.nn.Linear(32, 10, bias=True)
relu = torch.nn.ReLU()
torch.nn.init.normal_(linear1.weight)
torch.nn.init.normal_(linear2.weight)
print(torch.nn.init.normal_(linear3.weight).shape)
print(linear3.weight)
model = torch.nn.Sequential(linear1, relu, linear2, relu, linear3).to("cpu")
criterion = torch.nn.CrossEntropyLoss().to("cpu")
optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
total_batch = len(data_loader)
for epoch in range(training_epochs):
    avg_cost = 0
    for X, Y in data_loader:
        X = X.view(-1, 8 * 8).to("cpu")
        Y = Y.to("cpu")
        optimizer.zero_grad()
        hypothesis = model(X)
        cost = criterion(hypothesis, Y)
        cost.backward()
        optimizer.step()
        avg_cost += cost / total_batch
    print("Epoch:", "%04d" % (epoch + 1), "cost =", f"{avg_cost:.3f}")
print("Learning finished")
with torch.no_grad():
    prediction = model(images.view(-1, 64))
    accuracy = (torch.argmax(prediction, 1) == labels).float().mean()
    print("Accuracy:", f"{accuracy.item():.4f}")
