"""60-minute blitz, training a classifier: coloured images of random numbers, a running loss, accuracy a class."""

import io

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

classes = ("plane", "car", "bird", "cat")
torch.manual_seed(0)
labels = torch.arange(4).repeat(16)
patterns = torch.randn(4, 3, 16, 16)
images = patterns[labels] + 0.5 * torch.randn(64, 3, 16, 16)
trainset = torch.utils.data.TensorDataset(images, labels)
trainloader = torch.utils.data.DataLoader(trainset, batch_size=8, shuffle=False, num_workers=0)
testloader = torch.utils.data.DataLoader(trainset, batch_size=16)
dataiter = iter(trainloader)
first, first_labels = next(dataiter)
print(first.shape, " ".join(f"{classes[first_labels[j]]:5s}" for j in range(4)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(4, 8, 3)
        self.fc1 = nn.Linear(8 * 2 * 2, 16)
        self.fc2 = nn.Linear(16, 4)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


net = Net()
print(net)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
for epoch in range(4):
    running_loss = 0.0
    for i, data in enumerate(trainloader, 0):
        inputs, labels = data
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        if i % 4 == 3:
            print("[%d, %5d] loss: %.3f" % (epoch + 1, i + 1, running_loss / 4))
            running_loss = 0.0
print("Finished Training")

file = io.BytesIO()
torch.save(net.state_dict(), file)
file.seek(0)
again = Net()
print(again.load_state_dict(torch.load(file)))

correct_pred = {classname: 0 for classname in classes}
total_pred = {classname: 0 for classname in classes}
correct = total = 0
with torch.no_grad():
    for images, labels in testloader:
        outputs = again(images)
        _, predicted = torch.max(outputs.data, 1)
        total += labels.size(0)
        correct += (predicted == labels).sum().item()
        for label, prediction in zip(labels, predicted):
            if label == prediction:
                correct_pred[classes[label]] += 1
            total_pred[classes[label]] += 1
print(f"Accuracy of the network on the images: {100 * correct // total} %")
for classname, correct_count in correct_pred.items():
    print(f"Accuracy for class: {classname:5s} is {100 * float(correct_count) / total_pred[classname]:.1f} %")
