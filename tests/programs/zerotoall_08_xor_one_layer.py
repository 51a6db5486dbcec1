"""모두를 위한 딥러닝 시즌 2, lab 8-1: one layer cannot learn exclusive or."""

import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(777)
X = torch.FloatTensor([[0, 0], [0, 1], [1, 0], [1, 1]]).to("cpu")
Y = torch.FloatTensor([[0], [1], [1], [0]]).to("cpu")
linear = torch.nn.Linear(2, 1, bias=True)
sigmoid = torch.nn.Sigmoid()
model = torch.nn.Sequential(linear, sigmoid).to("cpu")
print(model)
criterion = torch.nn.BCELoss().to("cpu")
optimizer = torch.optim.SGD(model.parameters(), lr=1)
for step in range(201):
    optimizer.zero_grad()
    hypothesis = model(X)
    cost = criterion(hypothesis, Y)
    cost.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, f"{cost.item():.6f}")
with torch.no_grad():
    hypothesis = model(X)
    predicted = (hypothesis > 0.51).float()
    accuracy = (predicted == Y).float().mean()
    print("\nHypothesis: ", hypothesis.detach().cpu().numpy().round(3))
    print("Correct: ", predicted.detach().cpu().numpy(), "\nAccuracy: ", accuracy.item())
