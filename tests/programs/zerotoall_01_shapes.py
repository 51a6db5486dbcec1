"""모두를 위한 딥러닝 시즌 2, lab 1: view, squeeze, types, concatenation, stacks, one-hot by scatter, writes in place."""

import numpy as np
import torch

t = np.array([[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]])
ft = torch.FloatTensor(t)
print(ft.shape)
print(ft.view([-1, 3]))
print(ft.view([-1, 3]).shape)
print(ft.view([-1, 1, 3]))
print(ft.view([-1, 1, 3]).shape)

ft = torch.FloatTensor([[0], [1], [2]])
print(ft)
print(ft.squeeze(), ft.squeeze().shape)
ft = torch.Tensor([0, 1, 2])
print(ft.shape)
print(ft.unsqueeze(0), ft.unsqueeze(0).shape)
print(ft.view(1, -1))
print(ft.unsqueeze(1), ft.unsqueeze(-1).shape)

lt = torch.LongTensor([1, 2, 3, 4])
print(lt)
print(lt.float())
bt = torch.ByteTensor([True, False, False, True])
print(bt)
print(bt.long())
print(bt.float())
print(lt.dtype, bt.dtype, lt.double().dtype, lt.int().dtype, (lt > 2).dtype)

x = torch.FloatTensor([[1, 2], [3, 4]])
y = torch.FloatTensor([[5, 6], [7, 8]])
print(torch.cat([x, y], dim=0))
print(torch.cat([x, y], dim=1))
x = torch.FloatTensor([1, 4])
y = torch.FloatTensor([2, 5])
z = torch.FloatTensor([3, 6])
print(torch.stack([x, y, z]))
print(torch.stack([x, y, z], dim=1))
print(torch.cat([x.unsqueeze(0), y.unsqueeze(0), z.unsqueeze(0)], dim=0))

x = torch.FloatTensor([[0, 1, 2], [2, 1, 0]])
print(torch.ones_like(x))
print(torch.zeros_like(x))
print(x.mul(2.0))
print(x)
print(x.mul_(2.0))
print(x)

lt = torch.LongTensor([[0], [1], [2], [0]])
one_hot = torch.zeros(4, 3)
one_hot.scatter_(1, lt, 1)
print(one_hot)
for x, y, z in zip([1, 2, 3], [4, 5, 6], [7, 8, 9]):
    print(x, y, z)
print(torch.arange(12).view(3, 4).t().contiguous().view(2, 6))
