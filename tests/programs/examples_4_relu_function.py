"""Learning PyTorch with Examples, 4, as it was first: ReLU as a Function that writes into a copy of its gradient."""

import torch


class MyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return input.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input < 0] = 0
        return grad_input


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, factor):
        ctx.factor = factor
        return factor * input

    @staticmethod
    def backward(ctx, grad_output):
        print("needs", ctx.needs_input_grad)
        return ctx.factor * grad_output, None


torch.manual_seed(0)
x = torch.randn(16, 20)
y = torch.randn(16, 4)
w1 = torch.randn(20, 12, requires_grad=True)
w2 = torch.randn(12, 4, requires_grad=True)
relu = MyReLU.apply
for t in range(50):
    loss = (relu(x.mm(w1)).mm(w2) - y).pow(2).sum()
    if t % 10 == 9:
        print(t, f"{loss.item():.5g}")
    loss.backward()
    with torch.no_grad():
        w1 -= 1e-4 * w1.grad
        w2 -= 1e-4 * w2.grad
        w1.grad.zero_()
        w2.grad.zero_()
print(w2)
v = torch.tensor([1.0, -2.0], requires_grad=True)
out = Scaled.apply(v, 3.0)
print(out.sum())
out.sum().backward()
print(v.grad)
