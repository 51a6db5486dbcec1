"""모두를 위한 딥러닝 시즌 2, lab 7-2: a layer from pixels to digits, in epochs and batches, on made-up digits."""

import random

import torch

USE_CUDA = torch.cuda.is_available()
device = torch.device("cuda" if USE_CUDA else "cpu")
random.seed(777)
torch.manual_seed(777)
if device == "cuda":
    torch.cuda.manual_seed_all(777)
training_epochs = 5
batch_size = 20

shapes = torch.rand(10, 64)
train_labels = torch.arange(100) % 10
train_data = (0.7 * shapes[train_labels] + 0.3 * torch.rand(100, 64)).view(-1, 8, 8)
mnist_train = torch.utils.data.TensorDataset(train_data, train_labels)
data_loader = torch.utils.data.DataLoader(dataset=mnist_train, batch_size=batch_size, shuffle=False, drop_last=True)

linear = torch.nn.Linear(64, 10, bias=True).to("cpu")
criterion = torch.nn.CrossEntropyLoss().to("cpu")
optimizer = torch.optim.SGD(linear.parameters(), lr=0.1)
for epoch in range(training_epochs):
    avg_cost = 0
    total_batch = len(data_loader)
    for X, Y in data_loader:
        X = X.view(-1, 8 * 8).to("cpu")
        Y = Y.to("cpu")
        optimizer.zero_grad()
        hypothesis = linear(X)
        cost = criterion(hypothesis, Y)
        cost.backward()
        optimizer.step()
        avg_cost += cost / total_batch
    print("Epoch:", "%04d" % (epoch + 1), "cost =", f"{avg_cost:.5f}")
print("Learning finished")

with torch.no_grad():
    X_test = train_data.view(-1, 8 * 8).float().to("cpu")
    Y_test = train_labels.to("cpu")
    prediction = linear(X_test)
    correct_prediction = torch.argmax(prediction, 1) == Y_test
    accuracy = correct_prediction.float().mean()
    print("Accuracy:", round(accuracy.item(), 4))
    r = random.randint(0, len(mnist_train) - 1)
    X_single_data = train_data[r : r + 1].view(-1, 8 * 8).float()
    Y_single_data = train_labels[r : r + 1]
    print("Label: ", Y_single_data.item())
    single_prediction = linear(X_single_data)
    print("Prediction: ", torch.argmax(single_prediction, 1).item())
