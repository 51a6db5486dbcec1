"""Step 6: whole arrays, and gradients of the right shape."""

import numpy as np
from step04_order import in_order


class Node:
    """An array, and for each array that it was made of: which one, and how a gradient passes to it."""

    def __init__(self, value, inputs=()):
        self.value = np.asarray(value, dtype=float)
        self.inputs = inputs
        self.gradient = np.zeros_like(self.value)

    def __add__(self, other):
        return Node(self.value + other.value, [(self, lambda g: g), (other, lambda g: g)])

    def __sub__(self, other):
        return Node(self.value - other.value, [(self, lambda g: g), (other, lambda g: -g)])

    def __mul__(self, other):
        return Node(self.value * other.value, [(self, lambda g: g * other.value), (other, lambda g: g * self.value)])

    def square(self):
        return Node(self.value**2, [(self, lambda g: g * 2 * self.value)])

    def sum(self):
        return Node(self.value.sum(), [(self, lambda g: np.full_like(self.value, g))])


def to_shape(gradient, shape):
    """Add up a gradient over the axes along which NumPy repeated a smaller array."""
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            gradient = gradient.sum(axis=axis, keepdims=True)
    return gradient


def backward(result):
    """Give every node its gradient: the sum of what each of its uses sends."""
    order = in_order(result)
    for node in order:
        if node.inputs:
            node.gradient = np.zeros_like(node.value)
    result.gradient = result.gradient + 1.0
    for node in order:
        for source, passed in node.inputs:
            source.gradient = source.gradient + to_shape(passed(node.gradient), source.value.shape)


if __name__ == "__main__":
    w = Node(1.0)
    x, y = Node([1.0, 2.0]), Node([2.0, 3.0])
    loss = (w * x - y).square().sum()
    backward(loss)
    print("loss", loss.value)
    print("gradient of w", w.gradient)
    print("gradient of x", x.gradient)
