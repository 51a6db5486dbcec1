"""모두를 위한 딥러닝 시즌 2, lab 9-4: five layers in a loop of nn.init, their gradients layer by layer."""

import torch

torch.manual_seed(777)
shapes = torch.rand(10, 64)
labels = torch.arange(100) % 10
images = 0.7 * shapes[labels] + 0.3 * torch.rand(100, 64)
layers = []
for fan_in, fan_out in ((64, 24), (24, 24), (24, 24), (24, 24), (24, 10)):
    linear = torch.nn.Linear(fan_in, fan_out, bias=True)
    torch.nn.init.xavier_uniform_(linear.weight)
    layers += [linear, torch.nn.ReLU()]
model = torch.nn.Sequential(*layers[:-1])
print(model)
print(len(model), model[-1])
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(12):
    optimizer.zero_grad()
    cost = criterion(model(images), labels)
    cost.backward()
    if epoch == 0:
        for name, parameter in model.named_parameters():
            if "weight" in name:
                print(name, tuple(parameter.shape), f"{parameter.grad.norm().item():.4f}")
    optimizer.step()
    if epoch % 3 == 2:
        print(epoch, f"{cost.item():.4f}")
print(optimizer.state_dict()["param_groups"][0]["params"], len(optimizer.state))
