"""모두를 위한 딥러닝 시즌 2, lab 9-6: layers with and without batch normalization, side by side."""

import torch

torch.manual_seed(1)
learning_rate = 0.1
batch_size = 25
shapes = torch.rand(10, 64)
labels = torch.arange(100) % 10
images = 0.7 * shapes[labels] + 0.3 * torch.rand(100, 64)
dataset = torch.utils.data.TensorDataset(images, labels)
train_loader = torch.utils.data.DataLoader(dataset=dataset, batch_size=batch_size, shuffle=False, drop_last=True)

linear1 = torch.nn.Linear(64, 16, bias=True)
linear2 = torch.nn.Linear(16, 10, bias=True)
relu = torch.nn.ReLU()
bn1 = torch.nn.BatchNorm1d(16)
nn_linear1 = torch.nn.Linear(64, 16, bias=True)
nn_linear2 = torch.nn.Linear(16, 10, bias=True)
bn_model = torch.nn.Sequential(linear1, relu, bn1, linear2).to("cpu")
nn_model = torch.nn.Sequential(nn_linear1, relu, nn_linear2).to("cpu")
print(bn_model)
criterion = torch.nn.CrossEntropyLoss().to("cpu")
# Not Adam, as the course: it divides by gradients of biases before a normalization, which are 0 but for roundings.
bn_optimizer = torch.optim.SGD(bn_model.parameters(), lr=learning_rate)
nn_optimizer = torch.optim.SGD(nn_model.parameters(), lr=learning_rate)
train_total_batch = len(train_loader)
for epoch in range(3):
    bn_model.train()
    for X, Y in train_loader:
        bn_optimizer.zero_grad()
        bn_loss = criterion(bn_model(X), Y)
        bn_loss.backward()
        bn_optimizer.step()
        nn_optimizer.zero_grad()
        nn_loss = criterion(nn_model(X), Y)
        nn_loss.backward()
        nn_optimizer.step()
    with torch.no_grad():
        bn_model.eval()
        bn_loss, nn_loss, bn_acc, nn_acc = 0, 0, 0, 0
        for X, Y in train_loader:
            bn_prediction = bn_model(X)
            bn_loss += criterion(bn_prediction, Y)
            bn_acc += (torch.argmax(bn_prediction, 1) == Y).float().mean()
            nn_prediction = nn_model(X)
            nn_loss += criterion(nn_prediction, Y)
            nn_acc += (torch.argmax(nn_prediction, 1) == Y).float().mean()
        bn_loss, nn_loss = bn_loss / train_total_batch, nn_loss / train_total_batch
        bn_acc, nn_acc = bn_acc / train_total_batch, nn_acc / train_total_batch
        print(
            "[Epoch %d-TRAIN] Batchnorm Loss(Acc): bn_loss:%.4f(bn_acc:%.2f) vs nn_loss:%.4f(nn_acc:%.2f)"
            % ((epoch + 1), bn_loss.item(), bn_acc.item(), nn_loss.item(), nn_acc.item())
        )
print(bn1.running_mean[:4], bn1.running_var[:4], bn1.num_batches_tracked)
print([name for name, _ in bn1.named_buffers()], list(bn1.state_dict()))
print(bn1.weight.grad.shape, linear1.bias.grad.abs().max() < 10)
