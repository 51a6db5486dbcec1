"""micrograd's demo: two half moons, a net of two hidden layers, the hinge loss with a penalty, in batches."""

import math
import random

import numpy as np
import torch


def make_moons(n_samples, noise, rng):
    n_out = n_samples // 2
    outer = np.linspace(0, math.pi, n_out)
    inner = np.linspace(0, math.pi, n_samples - n_out)
    X = np.concatenate(
        [np.stack([np.cos(outer), np.sin(outer)], 1), np.stack([1 - np.cos(inner), 0.5 - np.sin(inner)], 1)]
    )
    y = np.concatenate([np.zeros(n_out, dtype=int), np.ones(n_samples - n_out, dtype=int)])
    order = rng.permutation(n_samples)
    return X[order] + rng.normal(scale=noise, size=X.shape), y[order]


class MLP(torch.nn.Module):
    def __init__(self, nin, nouts):
        super().__init__()
        sizes = [nin, *nouts]
        self.layers = torch.nn.ModuleList(torch.nn.Linear(i, j) for i, j in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)


np.random.seed(1337)
random.seed(1337)
torch.manual_seed(1337)
X, y = make_moons(n_samples=100, noise=0.1, rng=np.random.default_rng(1337))
y = y * 2 - 1
print(X.shape, y[:10])
model = MLP(2, [16, 16, 1])
print(model)
print("number of parameters", len(list(model.parameters())), sum(p.numel() for p in model.parameters()))


def loss(batch_size=None):
    if batch_size is None:
        Xb, yb = X, y
    else:
        ri = np.random.permutation(X.shape[0])[:batch_size]
        Xb, yb = X[ri], y[ri]
    inputs = torch.from_numpy(Xb).float()
    targets = torch.tensor(yb)
    scores = model(inputs).squeeze(1)
    losses = (1 + -targets * scores).relu()
    data_loss = losses.sum() * (1.0 / len(losses))
    alpha = 1e-4
    reg_loss = alpha * sum((p * p).sum() for p in model.parameters())
    total_loss = data_loss + reg_loss
    accuracy = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(yb, scores)]
    return total_loss, sum(accuracy).item() / len(accuracy)


total_loss, acc = loss()
print(total_loss, acc)
for k in range(40):
    total_loss, acc = loss(batch_size=None if k % 2 else 50)
    model.zero_grad()
    total_loss.backward()
    learning_rate = 1.0 - 0.9 * k / 100
    for p in model.parameters():
        p.data -= 0.3 * learning_rate * p.grad
    if k % 10 == 9:
        print(f"step {k} loss {total_loss.data.item():.4f}, accuracy {acc * 100}%")
h = 0.5
xx, yy = np.meshgrid(np.arange(-1, 2, h), np.arange(-0.5, 1, h))
Xmesh = np.c_[xx.ravel(), yy.ravel()]
with torch.no_grad():
    scores = torch.stack([model(torch.tensor(xrow, dtype=torch.float)) for xrow in Xmesh])
Z = np.array([s.item() > 0 for s in scores]).reshape(xx.shape)
print(Z.astype(int))
