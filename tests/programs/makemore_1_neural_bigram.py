"""makemore, part 1: the same counts as one layer on one-hot letters, trained by gradients, a penalty for large weights."""

import torch
import torch.nn.functional as F

words = "anna otto elena nora milan ida mara leon tilda emil oskar frida hanna jonas linus alma".split()
chars = [chr(ord("a") + i) for i in range(26)]
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
itos = {i: s for s, i in stoi.items()}
xs, ys = [], []
for w in words:
    chs = [".", *list(w), "."]
    for ch1, ch2 in zip(chs, chs[1:]):
        xs.append(stoi[ch1])
        ys.append(stoi[ch2])
xs = torch.tensor(xs)
ys = torch.tensor(ys)
num = xs.nelement()
print("number of examples: ", num)
print(xs[:5], ys[:5], xs.dtype)

g = torch.Generator().manual_seed(2147483647)
W = torch.randn((27, 27), generator=g, requires_grad=True)
xenc = F.one_hot(xs[:5], num_classes=27).float()
print(xenc.shape, xenc.dtype, F.one_hot(xs[:5], num_classes=27).dtype)
logits = xenc @ W
counts = logits.exp()
probs = counts / counts.sum(1, keepdims=True)
print(probs[0])
for i in range(3):
    x = xs[i].item()
    y = ys[i].item()
    p = probs[i, y]
    print(f"bigram {i + 1}: {itos[x]}{itos[y]}", f"probability {p.item():.4f}", f"nll {-torch.log(p).item():.4f}")

for k in range(60):
    xenc = F.one_hot(xs, num_classes=27).float()
    logits = xenc @ W
    counts = logits.exp()
    probs = counts / counts.sum(1, keepdims=True)
    loss = -probs[torch.arange(num), ys].log().mean() + 0.01 * (W**2).mean()
    if k % 10 == 0:
        print(k, f"{loss.item():.5f}")
    W.grad = None
    loss.backward()
    W.data += -50 * W.grad
print(loss)

g = torch.Generator().manual_seed(2147483647)
for _ in range(3):
    out = []
    ix = 0
    while True:
        xenc = F.one_hot(torch.tensor([ix]), num_classes=27).float()
        logits = xenc @ W
        counts = logits.exp()
        p = counts / counts.sum(1, keepdims=True)
        ix = torch.multinomial(p, num_samples=1, replacement=True, generator=g).item()
        out.append(itos[ix])
        if ix == 0:
            break
    print("".join(out))
