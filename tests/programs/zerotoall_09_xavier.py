"""모두를 위한 딥러닝 시즌 2, lab 9-3: the same layers from Xavier's and from He's weights."""

import torch
from torch import nn

torch.manual_seed(777)
shapes = torch.rand(10, 64)
labels = torch.arange(100) % 10
images = 0.7 * shapes[labels] + 0.3 * torch.rand(100, 64)
data_loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=20)
print(nn.init.calculate_gain("tanh"), nn.init.calculate_gain("relu"), nn.init.calculate_gain("leaky_relu", 0.2))

starts = {
    "xavier_uniform_": nn.init.xavier_uniform_,
    "xavier_normal_": nn.init.xavier_normal_,
    "kaiming_uniform_": nn.init.kaiming_uniform_,
    "kaiming_normal_": nn.init.kaiming_normal_,
}
for name, start in starts.items():
    torch.manual_seed(1)
    linear1 = torch.nn.Linear(64, 32, bias=True)
    linear2 = torch.nn.Linear(32, 10, bias=True)
    relu = torch.nn.ReLU()
    start(linear1.weight)
    start(linear2.weight)
    nn.init.zeros_(linear1.bias)
    nn.init.constant_(linear2.bias, 0.1)
    print(name, linear1.weight[0, :5], linear1.weight.std())
    model = torch.nn.Sequential(linear1, relu, linear2)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(3):
        avg_cost = 0
        for X, Y in data_loader:
            optimizer.zero_grad()
            cost = criterion(model(X), Y)
            cost.backward()
            optimizer.step()
            avg_cost += cost / len(data_loader)
        print("Epoch:", "%04d" % (epoch + 1), "cost =", f"{avg_cost:.4f}")
w = torch.empty(3, 5)
print(nn.init.eye_(w))
print(nn.init.uniform_(w, -1, 1))
