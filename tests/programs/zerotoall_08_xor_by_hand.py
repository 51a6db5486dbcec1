"""모두를 위한 딥러닝 시즌 2, lab 8-2: exclusive or in two layers, the chain rule written out line by line."""

import torch

torch.manual_seed(777)
X = torch.FloatTensor([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = torch.FloatTensor([[0], [1], [1], [0]])
w1 = torch.randn(2, 3)
b1 = torch.zeros(3)
w2 = torch.randn(3, 1)
b2 = torch.zeros(1)


def sigmoid(x):
    return 1.0 / (1.0 + torch.exp(-x))


def sigmoid_prime(x):
    return sigmoid(x) * (1 - sigmoid(x))


def forward():
    l1 = torch.add(torch.matmul(X, w1), b1)
    a1 = sigmoid(l1)
    l2 = torch.add(torch.matmul(a1, w2), b2)
    return l1, a1, l2, sigmoid(l2)


learning_rate = 2
for step in range(301):
    l1, a1, l2, Y_pred = forward()
    cost = -torch.mean(Y * torch.log(Y_pred) + (1 - Y) * torch.log(1 - Y_pred))

    d_Y_pred = (Y_pred - Y) / (Y_pred * (1.0 - Y_pred) + 1e-7)
    d_l2 = d_Y_pred * sigmoid_prime(l2)
    d_b2 = d_l2
    d_w2 = torch.matmul(torch.transpose(a1, 0, 1), d_b2)
    d_a1 = torch.matmul(d_b2, torch.transpose(w2, 0, 1))
    d_l1 = d_a1 * sigmoid_prime(l1)
    d_b1 = d_l1
    d_w1 = torch.matmul(torch.transpose(X, 0, 1), d_b1)

    if step == 0:
        # Sums where the cost has a mean: four times the gradient that autograd finds.
        leaves = [w.clone().requires_grad_() for w in (w1, b1, w2, b2)]
        hidden = torch.sigmoid(X @ leaves[0] + leaves[1])
        torch.nn.BCELoss()(torch.sigmoid(hidden @ leaves[2] + leaves[3]), Y).backward()
        by_hand = [d_w1, d_b1.sum(0), d_w2, d_b2.sum(0)]
        print([torch.allclose(g / 4, leaf.grad, atol=1e-6) for g, leaf in zip(by_hand, leaves)])

    w1 = w1 - learning_rate * d_w1 / 4
    b1 = b1 - learning_rate * torch.mean(d_b1, 0)
    w2 = w2 - learning_rate * d_w2 / 4
    b2 = b2 - learning_rate * torch.mean(d_b2, 0)
    if step % 60 == 0:
        print(step, f"{cost.item():.4f}")
print(forward()[-1].round(decimals=2))
print((forward()[-1] > 0.5).float() == Y)
