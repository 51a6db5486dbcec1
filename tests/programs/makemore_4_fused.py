"""makemore, part 4: cross entropy and batch normalization taken back in one line each, and training without backward()."""

import torch
import torch.nn.functional as F

vocab_size, n_embd, block_size, n_hidden, n = 14, 4, 3, 12, 32
g = torch.Generator().manual_seed(2147483647)
Xtr = torch.randint(0, vocab_size, (120, block_size), generator=g)
Ytr = (Xtr[:, 1] + 3 * Xtr[:, 2]) % vocab_size
C = torch.randn((vocab_size, n_embd), generator=g)
W1 = torch.randn((n_embd * block_size, n_hidden), generator=g) * (5 / 3) / ((n_embd * block_size) ** 0.5)
b1 = torch.randn(n_hidden, generator=g) * 0.1
W2 = torch.randn((n_hidden, vocab_size), generator=g) * 0.1
b2 = torch.randn(vocab_size, generator=g) * 0.1
bngain = torch.randn((1, n_hidden), generator=g) * 0.1 + 1.0
bnbias = torch.randn((1, n_hidden), generator=g) * 0.1
parameters = [C, W1, b1, W2, b2, bngain, bnbias]
for p in parameters:
    p.requires_grad = True


def forward(Xb):
    emb = C[Xb]
    embcat = emb.view(emb.shape[0], -1)
    hprebn = embcat @ W1 + b1
    bnmean = hprebn.mean(0, keepdim=True)
    bnvar = hprebn.var(0, keepdim=True, unbiased=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = (hprebn - bnmean) * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    h = torch.tanh(hpreact)
    return emb, embcat, hprebn, bnvar_inv, bnraw, hpreact, h, h @ W2 + b2


def backward(Xb, Yb, emb, embcat, bnvar_inv, bnraw, h, logits):
    dlogits = F.softmax(logits, 1)
    dlogits[range(n), Yb] -= 1
    dlogits /= n
    dh = dlogits @ W2.T
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    dhpreact = (1.0 - h**2) * dh
    dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
    dbnbias = dhpreact.sum(0, keepdim=True)
    dhprebn = (
        bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0))
    )
    dembcat = dhprebn @ W1.T
    dW1 = embcat.T @ dhprebn
    db1 = dhprebn.sum(0)
    demb = dembcat.view(emb.shape)
    dC = torch.zeros_like(C)
    dC.index_add_(0, Xb.view(-1), demb.view(-1, n_embd))
    return [dC, dW1, db1, dW2, db2, dbngain, dbnbias], dlogits, dhprebn


ix = torch.randint(0, Xtr.shape[0], (n,), generator=g)
Xb, Yb = Xtr[ix], Ytr[ix]
emb, embcat, hprebn, bnvar_inv, bnraw, hpreact, h, logits = forward(Xb)
loss = F.cross_entropy(logits, Yb)
logits.retain_grad()
hprebn.retain_grad()
loss.backward()
print(loss)
print(F.softmax(logits, 1)[0])
with torch.no_grad():
    grads, dlogits, dhprebn = backward(Xb, Yb, emb, embcat, bnvar_inv, bnraw, h, logits)
print("logits", torch.allclose(dlogits, logits.grad, atol=1e-7), f"{dlogits[0].sum().item() + 1:.4f}")
print("hprebn", torch.allclose(dhprebn, hprebn.grad, atol=1e-7))
for name, p, grad in zip(("C", "W1", "b1", "W2", "b2", "bngain", "bnbias"), parameters, grads):
    print(f"{name:8s}", tuple(p.shape), torch.allclose(p.grad, grad, atol=1e-6))

with torch.no_grad():
    for i in range(40):
        ix = torch.randint(0, Xtr.shape[0], (n,), generator=g)
        Xb, Yb = Xtr[ix], Ytr[ix]
        emb, embcat, hprebn, bnvar_inv, bnraw, hpreact, h, logits = forward(Xb)
        loss = F.cross_entropy(logits, Yb)
        grads, _, _ = backward(Xb, Yb, emb, embcat, bnvar_inv, bnraw, h, logits)
        for p, grad in zip(parameters, grads):
            p.data += -0.1 * grad
        if i % 10 == 0:
            print(f"{i:7d}: {loss.item():.4f}", loss.requires_grad)
