"""모두를 위한 딥러닝 시즌 2, lab 10-1: sizes of convolutions, then two of them with pooling for made-up digits."""

import torch
import torch.nn as nn
import torch.nn.init

torch.manual_seed(777)
print(nn.Conv2d(1, 1, 11, stride=4, padding=0)(torch.zeros(1, 1, 227, 227)).shape)
conv = nn.Conv2d(1, 5, 5)
pool = nn.MaxPool2d(2)
inputs = torch.Tensor(1, 1, 28, 28).fill_(0.5)
out = conv(inputs)
print(conv, out.shape)
print(pool(out).size())
print(nn.Conv2d(3, 8, (3, 5), stride=(2, 1), padding=(1, 2))(torch.zeros(2, 3, 9, 9)).shape)


class CNN(torch.nn.Module):
    def __init__(self):
        super(CNN, self).__init__()
        self.layer1 = torch.nn.Sequential(
            torch.nn.Conv2d(1, 6, kernel_size=3, stride=1, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(kernel_size=2, stride=2),
        )
        self.layer2 = torch.nn.Sequential(
            torch.nn.Conv2d(6, 8, kernel_size=3, stride=1, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(kernel_size=2, stride=2),
        )
        self.fc = torch.nn.Linear(3 * 3 * 8, 10, bias=True)
        torch.nn.init.xavier_uniform_(self.fc.weight)

    def forward(self, x):
        out = self.layer1(x)
        out = self.layer2(out)
        out = out.view(out.size(0), -1)
        return self.fc(out)


shapes = torch.rand(10, 1, 12, 12)
labels = torch.arange(40) % 10
images = 0.7 * shapes[labels] + 0.3 * torch.rand(40, 1, 12, 12)
dataset = torch.utils.data.TensorDataset(images, labels)
data_loader = torch.utils.data.DataLoader(dataset=dataset, batch_size=20, shuffle=False, drop_last=True)
model = CNN().to("cpu")
print(model)
criterion = torch.nn.CrossEntropyLoss().to("cpu")
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
total_batch = len(data_loader)
print("Learning started. It takes sometime.")
for epoch in range(5):
    avg_cost = 0
    for X, Y in data_loader:
        optimizer.zero_grad()
        hypothesis = model(X)
        cost = criterion(hypothesis, Y)
        cost.backward()
        optimizer.step()
        avg_cost += cost / total_batch
    print(f"[Epoch: {epoch + 1:>4}] cost = {avg_cost.item():>.4f}")
print("Learning Finished!")
with torch.no_grad():
    prediction = model(images)
    correct_prediction = torch.argmax(prediction, 1) == labels
    print("Accuracy:", round(correct_prediction.float().mean().item(), 3))
