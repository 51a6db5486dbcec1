"""Step 5: gradients add up."""

from step03_node import Node
from step04_order import in_order


def backward(result):
    """Give every node its gradient: the sum of what each of its uses sends."""
    order = in_order(result)
    for node in order:
        if node.inputs:
            node.gradient = 0.0
    result.gradient += 1.0
    for node in order:
        for source, derivative in node.inputs:
            source.gradient += node.gradient * derivative


if __name__ == "__main__":
    a = Node(1.0)
    b = a + a
    c = b + b
    backward(c)
    print("a", a.gradient, "b", b.gradient, "c", c.gradient)

    x = Node(3.0)
    backward(x * x * x)
    print("3 x x =", x.gradient)
    backward(x * x * x)
    print("called again without setting it to 0:", x.gradient)
