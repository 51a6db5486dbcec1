"""모두를 위한 딥러닝 시즌 2, lab 10-2: a deeper net as named parts, and an ensemble of two that vote."""

import torch
import torch.nn as nn


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self._build_net()

    def _build_net(self):
        self.layer1 = nn.Sequential(
            nn.Conv2d(1, 4, kernel_size=3, stride=1, padding=1), nn.ReLU(), nn.MaxPool2d(kernel_size=2, stride=2)
        )
        self.layer2 = nn.Sequential(
            nn.Conv2d(4, 8, kernel_size=3, stride=1, padding=1),
            nn.LeakyReLU(0.1),
            nn.MaxPool2d(kernel_size=2, stride=2, padding=1),
        )
        self.fc1 = nn.Linear(4 * 4 * 8, 20, bias=True)
        nn.init.xavier_uniform_(self.fc1.weight)
        self.layer4 = nn.Sequential(self.fc1, nn.ReLU(), nn.Dropout(p=0.0))
        self.fc2 = nn.Linear(20, 10, bias=True)
        nn.init.xavier_uniform_(self.fc2.weight)

    def forward(self, x):
        out = self.layer2(self.layer1(x))
        out = out.view(out.size(0), -1)
        return self.fc2(self.layer4(out))


torch.manual_seed(777)
shapes = torch.rand(10, 1, 12, 12)
labels = torch.arange(30) % 10
images = 0.7 * shapes[labels] + 0.3 * torch.rand(30, 1, 12, 12)
models = [CNN() for _ in range(2)]
print(models[0])
criterion = nn.CrossEntropyLoss()
optimizers = [torch.optim.Adam(model.parameters(), lr=0.02) for model in models]
for epoch in range(6):
    costs = []
    for model, optimizer in zip(models, optimizers):
        model.train()
        optimizer.zero_grad()
        cost = criterion(model(images), labels)
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    print("Epoch:", epoch + 1, " ".join(f"{cost:.3f}" for cost in costs))
predictions = torch.zeros((30, 10))
with torch.no_grad():
    for model in models:
        model.eval()
        predictions += model(images)
print((torch.argmax(predictions, 1) == labels).sum().item() >= 15)
print([name for name, _ in models[0].named_children()])
print({name: tuple(value.shape) for name, value in models[0].state_dict().items()})
