"""모두를 위한 딥러닝 시즌 2, lab 9-5: dropout between layers, in training and in evaluation."""

import torch

torch.manual_seed(777)
drop_prob = 0.3
shapes = torch.rand(10, 64)
labels = torch.arange(100) % 10
images = 0.7 * shapes[labels] + 0.3 * torch.rand(100, 64)

# Which numbers are left out depends on how torch was built; that they are, and what becomes of the others, does not.
dropout = torch.nn.Dropout(p=drop_prob)
print(dropout, dropout.training)
x = torch.ones(4000)
out = dropout(x)
print([round(v, 4) for v in sorted(set(out.tolist()))], abs((out == 0).float().mean().item() - drop_prob) < 0.05)
dropout.eval()
print(set(dropout(x).tolist()), dropout.training)

torch.manual_seed(778)
linear1 = torch.nn.Linear(64, 32, bias=True)
linear2 = torch.nn.Linear(32, 32, bias=True)
linear3 = torch.nn.Linear(32, 10, bias=True)
relu = torch.nn.ReLU()
for linear in (linear1, linear2, linear3):
    torch.nn.init.xavier_uniform_(linear.weight)
model = torch.nn.Sequential(linear1, relu, dropout, linear2, relu, dropout, linear3)
print(model)
criterion = torch.nn.CrossEntropyLoss()
with torch.no_grad():
    model.eval()
    print("before", f"{criterion(model(images), labels).item():.4f}")
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
model.train()
print([module.training for module in model])
first = last = None
for epoch in range(40):
    optimizer.zero_grad()
    cost = criterion(model(images), labels)
    cost.backward()
    optimizer.step()
    first, last = first or cost.item(), cost.item()
print(last < 0.5 * first)
with torch.no_grad():
    model.eval()
    prediction = model(images)
    correct_prediction = torch.argmax(prediction, 1) == labels
    print("Accuracy above 0.9:", correct_prediction.float().mean().item() > 0.9)
