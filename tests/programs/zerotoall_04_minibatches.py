"""모두를 위한 딥러닝 시즌 2, lab 4-2: a data set of one's own, and a DataLoader that hands it out in parts."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset


class CustomDataset(Dataset):
    def __init__(self):
        self.x_data = [[70, 81, 74], [92, 87, 95], [88, 90, 91], [95, 99, 98], [72, 65, 69]]
        self.y_data = [[151], [184], [179], [197], [140]]

    def __len__(self):
        return len(self.x_data)

    def __getitem__(self, idx):
        x = torch.FloatTensor(self.x_data[idx])
        y = torch.FloatTensor(self.y_data[idx])
        return x, y


torch.manual_seed(1)
dataset = CustomDataset()
print(len(dataset), dataset[1])
dataloader = DataLoader(dataset, batch_size=2, shuffle=False)
model = nn.Linear(3, 1)
optimizer = optim.SGD(model.parameters(), lr=1e-5)
nb_epochs = 10
for epoch in range(nb_epochs + 1):
    for batch_idx, samples in enumerate(dataloader):
        x_train, y_train = samples
        prediction = model(x_train)
        cost = F.mse_loss(prediction, y_train)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        if epoch % 5 == 0:
            print(
                "Epoch {:4d}/{} Batch {}/{} Cost: {:.2g}".format(
                    epoch, nb_epochs, batch_idx + 1, len(dataloader), cost.item()
                )
            )
new_var = torch.FloatTensor([[75, 80, 72]])
print("Predicted values after training :", model(new_var))

# In another order each time: what comes is what the data set holds, whatever the order.
shuffled = DataLoader(dataset, batch_size=2, shuffle=True, drop_last=True)
print(len(shuffled), sorted(len(x) for x, _ in shuffled))
marks = sorted(int(y) for _, ys in DataLoader(dataset, batch_size=2, shuffle=True) for y in ys)
print(marks)
first, second = torch.utils.data.random_split(dataset, [3, 2])
print(len(first), len(second))
