"""Learning PyTorch with Examples, 6: the same model, its steps by optim.RMSprop."""

import math

import torch

torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 500)
y = torch.sin(x)
xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
loss_fn = torch.nn.MSELoss(reduction="sum")

learning_rate = 1e-3
optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate)
print(optimizer.__class__.__name__, optimizer.defaults["lr"], optimizer.param_groups[0]["alpha"])
for t in range(300):
    loss = loss_fn(model(xx), y)
    if t % 50 == 49:
        print(t, f"{loss.item():.4g}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

for cls in (torch.optim.SGD, torch.optim.Adam, torch.optim.Adagrad):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
    optimizer = cls(model.parameters(), lr=1e-6 if cls is torch.optim.SGD else 1e-2)
    for t in range(50):
        loss = loss_fn(model(xx), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(cls.__name__, f"{loss.item():.4g}")
