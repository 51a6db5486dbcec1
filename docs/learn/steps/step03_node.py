"""Step 3: a number that remembers what it was made of."""


class Node:
    """A number, and for each number that it was made of: which one, and the derivative with respect to it."""

    def __init__(self, value, inputs=()):
        self.value = value
        self.inputs = inputs
        self.gradient = 0.0

    def __add__(self, other):
        return Node(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __sub__(self, other):
        return Node(self.value - other.value, [(self, 1.0), (other, -1.0)])

    def __mul__(self, other):
        return Node(self.value * other.value, [(self, other.value), (other, self.value)])

    def square(self):
        return Node(self.value**2, [(self, 2 * self.value)])


def backward(node, gradient=1.0):
    """Give a node its gradient, and its inputs theirs: the chain rule, one factor for each arrow."""
    node.gradient = gradient
    for source, derivative in node.inputs:
        backward(source, gradient * derivative)


if __name__ == "__main__":
    w, x, y = Node(1.0), Node(2.0), Node(5.0)
    loss = (w * x - y).square()
    backward(loss)
    print("loss", loss.value)
    print("gradient of w", w.gradient)
