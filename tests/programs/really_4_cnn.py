"""What is torch.nn really, 4: three convolutions in a Sequential with Lambda, a wrapped DataLoader."""

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
labels = torch.arange(96) % 3
images = torch.randn(96, 144) * 0.5 + torch.randn(3, 144)[labels]
train_ds = TensorDataset(images[:64], labels[:64])
valid_ds = TensorDataset(images[64:], labels[64:])


def loss_batch(model, xb, yb, opt=None):
    loss = F.cross_entropy(model(xb), yb)
    if opt is not None:
        loss.backward()
        opt.step()
        opt.zero_grad()
    return loss.item(), len(xb)


def fit(epochs, model, opt, train_dl, valid_dl):
    for epoch in range(epochs):
        model.train()
        for xb, yb in train_dl:
            loss_batch(model, xb, yb, opt)
        model.eval()
        with torch.no_grad():
            losses, nums = zip(*[loss_batch(model, xb, yb) for xb, yb in valid_dl])
        print(epoch, f"{sum(a * b for a, b in zip(losses, nums)) / sum(nums):.4f}")


class Mnist_CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, kernel_size=3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(4, 3, kernel_size=3, stride=2, padding=1)

    def forward(self, xb):
        xb = xb.view(-1, 1, 12, 12)
        xb = F.relu(self.conv1(xb))
        xb = F.relu(self.conv2(xb))
        xb = F.avg_pool2d(xb, 3)
        return xb.view(-1, xb.size(1))


model = Mnist_CNN()
print(model)
train_dl, valid_dl = DataLoader(train_ds, batch_size=16), DataLoader(valid_ds, batch_size=32)
fit(2, model, optim.SGD(model.parameters(), lr=0.2, momentum=0.9), train_dl, valid_dl)


class Lambda(nn.Module):
    def __init__(self, func):
        super().__init__()
        self.func = func

    def forward(self, x):
        return self.func(x)


def preprocess(x):
    return x.view(-1, 1, 12, 12)


model = nn.Sequential(
    Lambda(preprocess),
    nn.Conv2d(1, 4, kernel_size=3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(4, 3, kernel_size=3, stride=2, padding=1),
    nn.ReLU(),
    nn.AvgPool2d(3),
    Lambda(lambda x: x.view(x.size(0), -1)),
)
print(model)
fit(2, model, optim.SGD(model.parameters(), lr=0.2, momentum=0.9), train_dl, valid_dl)


class WrappedDataLoader:
    def __init__(self, dl, func):
        self.dl = dl
        self.func = func

    def __len__(self):
        return len(self.dl)

    def __iter__(self):
        batches = iter(self.dl)
        for b in batches:
            yield (self.func(*b))


dev = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
train_dl = WrappedDataLoader(train_dl, lambda x, y: (x.view(-1, 1, 12, 12).to(dev), y.to(dev)))
valid_dl = WrappedDataLoader(valid_dl, lambda x, y: (x.view(-1, 1, 12, 12).to(dev), y.to(dev)))
model = nn.Sequential(
    nn.Conv2d(1, 4, kernel_size=3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(4, 3, kernel_size=3, stride=2, padding=1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    Lambda(lambda x: x.view(x.size(0), -1)),
)
model.to(dev)
print(len(train_dl), model[4])
fit(3, model, optim.SGD(model.parameters(), lr=0.2, momentum=0.9), train_dl, valid_dl)
