"""makemore, part 2: learning rates tried one after another, words set aside, training continued with one of them."""

import random

import torch
import torch.nn.functional as F

words = "anna otto elena nora milan ida mara leon tilda emil oskar frida hanna jonas linus alma".split()
chars = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
block_size = 3


def build_dataset(words):
    X, Y = [], []
    for w in words:
        context = [0] * block_size
        for ch in w + ".":
            ix = stoi[ch]
            X.append(context)
            Y.append(ix)
            context = context[1:] + [ix]
    X = torch.tensor(X)
    Y = torch.tensor(Y)
    print(X.shape, Y.shape)
    return X, Y


random.seed(42)
random.shuffle(words)
n1 = int(0.8 * len(words))
n2 = int(0.9 * len(words))
Xtr, Ytr = build_dataset(words[:n1])
Xdev, Ydev = build_dataset(words[n1:n2])
Xte, Yte = build_dataset(words[n2:])

g = torch.Generator().manual_seed(2147483647)
C = torch.randn((len(stoi), 3), generator=g)
W1 = torch.randn((9, 16), generator=g)
b1 = torch.randn(16, generator=g)
W2 = torch.randn((16, len(stoi)), generator=g)
b2 = torch.randn(len(stoi), generator=g)
parameters = [C, W1, b1, W2, b2]
for p in parameters:
    p.requires_grad = True
lre = torch.linspace(-3, 0, 60)
lrs = 10**lre
print(lrs[:4], lrs[-1])
lri, lossi, stepi = [], [], []
for i in range(60):
    ix = torch.randint(0, Xtr.shape[0], (32,), generator=g)
    h = torch.tanh(C[Xtr[ix]].view(-1, 9) @ W1 + b1)
    loss = F.cross_entropy(h @ W2 + b2, Ytr[ix])
    for p in parameters:
        p.grad = None
    loss.backward()
    lr = lrs[i]
    for p in parameters:
        p.data += -lr * p.grad
    lri.append(lre[i])
    stepi.append(i)
    lossi.append(loss.log10().item())
print(f"{lri[30]:.4f}", [round(v, 4) for v in lossi[::15]])
for X, Y in ((Xtr, Ytr), (Xdev, Ydev), (Xte, Yte)):
    h = torch.tanh(C[X].view(-1, 9) @ W1 + b1)
    loss = F.cross_entropy(h @ W2 + b2, Y)
    print(loss)
print(stepi[-1], C[:, 0].data[:4], C[:, 1].data.shape)
