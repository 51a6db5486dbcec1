"""What is torch.nn really, 3: TensorDataset and DataLoader, a validation set, fit() and get_data()."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
labels = torch.arange(160) % 3
points = torch.randn(160, 12) + 2 * torch.eye(3, 12)[labels]
x_train, y_train, x_valid, y_valid = points[:96], labels[:96], points[96:], labels[96:]
bs, lr, epochs = 32, 0.1, 3
loss_func = F.cross_entropy

train_ds = TensorDataset(x_train, y_train)
xb, yb = train_ds[0:4]
print(len(train_ds), xb.shape, yb)
train_dl = DataLoader(train_ds, batch_size=bs)
print(len(train_dl), [tuple(xb.shape) for xb, _ in train_dl])
valid_ds = TensorDataset(x_valid, y_valid)


def loss_batch(model, loss_func, xb, yb, opt=None):
    loss = loss_func(model(xb), yb)
    if opt is not None:
        loss.backward()
        opt.step()
        opt.zero_grad()
    return loss.item(), len(xb)


def fit(epochs, model, loss_func, opt, train_dl, valid_dl):
    for epoch in range(epochs):
        model.train()
        for xb, yb in train_dl:
            loss_batch(model, loss_func, xb, yb, opt)
        model.eval()
        with torch.no_grad():
            losses, nums = zip(*[loss_batch(model, loss_func, xb, yb) for xb, yb in valid_dl])
        val_loss = np.sum(np.multiply(losses, nums)) / np.sum(nums)
        print(epoch, f"{val_loss:.5f}")


def get_data(train_ds, valid_ds, bs, shuffle):
    return DataLoader(train_ds, batch_size=bs, shuffle=shuffle), DataLoader(valid_ds, batch_size=bs * 2)


for shuffle in (False, True):
    train_dl, valid_dl = get_data(train_ds, valid_ds, bs, shuffle)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))
    opt = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    fit(epochs, model, loss_func, opt, train_dl, valid_dl)
valid_loss = sum(loss_func(model(xb), yb) for xb, yb in valid_dl)
print(valid_loss / len(valid_dl))
