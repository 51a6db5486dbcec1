"""모두를 위한 딥러닝 시즌 2, lab 8-4: two layers of sigmoids for digits, the backward pass by hand."""

import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(777)
learning_rate = 0.5
batch_size = 10
shapes = torch.rand(10, 36)
labels = torch.arange(60) % 10
data = 0.7 * shapes[labels] + 0.3 * torch.rand(60, 36)
dataset = torch.utils.data.TensorDataset(data, labels)
data_loader = torch.utils.data.DataLoader(dataset=dataset, batch_size=batch_size, shuffle=False, drop_last=True)

w1 = torch.nn.Parameter(torch.Tensor(36, 30)).to("cpu")
b1 = torch.nn.Parameter(torch.Tensor(30)).to("cpu")
w2 = torch.nn.Parameter(torch.Tensor(30, 10)).to("cpu")
b2 = torch.nn.Parameter(torch.Tensor(10)).to("cpu")
torch.nn.init.normal_(w1)
torch.nn.init.normal_(b1)
torch.nn.init.normal_(w2)
print(torch.nn.init.normal_(b2))


def sigmoid(x):
    return 1.0 / (1.0 + torch.exp(-x))


def sigmoid_prime(x):
    return sigmoid(x) * (1 - sigmoid(x))


i = 0
with torch.no_grad():
    for _ in range(10):
        for X, Y in data_loader:
            i += 1
            X = X.view(-1, 36).to("cpu")
            Y = torch.zeros((batch_size, 10)).scatter_(1, Y.unsqueeze(1), 1).to("cpu")
            l1 = torch.add(torch.matmul(X, w1), b1)
            a1 = sigmoid(l1)
            l2 = torch.add(torch.matmul(a1, w2), b2)
            y_pred = sigmoid(l2)
            diff = y_pred - Y

            d_l2 = diff * sigmoid_prime(l2)
            d_b2 = d_l2
            d_w2 = torch.matmul(torch.transpose(a1, 0, 1), d_l2)
            d_a1 = torch.matmul(d_l2, torch.transpose(w2, 0, 1))
            d_l1 = d_a1 * sigmoid_prime(l1)
            d_b1 = d_l1
            d_w1 = torch.matmul(torch.transpose(X, 0, 1), d_l1)

            w1 = w1 - learning_rate * d_w1
            b1 = b1 - learning_rate * torch.mean(d_b1, 0)
            w2 = w2 - learning_rate * d_w2
            b2 = b2 - learning_rate * torch.mean(d_b2, 0)

            if i % 20 == 0:
                y_pred = sigmoid(torch.add(torch.matmul(sigmoid(torch.add(torch.matmul(data, w1), b1)), w2), b2))
                acct_mat = torch.argmax(y_pred, 1) == labels
                acct_res = acct_mat.sum()
                print(i, acct_res.item(), f"{(diff**2).mean().item():.3f}")
print(b2)
