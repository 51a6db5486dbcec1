"""The line as a model of one layer."""

import torch
import torch.nn as nn
import torch.optim as optim


class Line(nn.Module):
    def __init__(self):
        super(Line, self).__init__()
        self.layer = nn.Linear(in_features=1, out_features=1, bias=True)

    def forward(self, input):
        return self.layer(input)


torch.manual_seed(3)
model = Line().to("cpu")
print(f"model : {model}")
print(f"weight : {model.layer.weight}")
print(f"bias : {model.layer.bias}")

x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).view(-1, 1)
y = torch.tensor([3.0, 6.0, 9.0, 12.0, 15.0, 18.0]).view(-1, 1)
optimizer = optim.SGD(model.parameters(), lr=0.01)
measure = nn.MSELoss()

for epoch in range(1001):
    optimizer.zero_grad()
    loss = measure(model(x), y)
    loss.backward()
    optimizer.step()
    if epoch % 100 == 0:
        weight, bias = float(model.layer.weight), float(model.layer.bias)
        print(f"({str(epoch).rjust(4)}/1000) cost {round(float(loss), 4)}, W {round(weight, 4)}, b {round(bias, 4)}")

print("W: {:8.4f}".format(float(model.layer.weight)))
print(model(x))
print(measure)
for name, numbers in model.state_dict().items():
    print(name, numbers)
