"""Exercise 3: write `answer(node)`, a Node that is the cube of a Node."""

from step03_node import Node, backward


def check(answer):
    """Compare values and gradients, also where a chain goes on behind the cube."""
    for value in (2.0, -1.5):
        x = Node(value)
        result = answer(x).square()
        assert result.value == value**6, f"the cube of {value}, squared, is {value**6}, yours is {result.value}"
        backward(result)
        assert x.gradient == 6 * value**5, (
            f"(x^3)^2 at {value} has the derivative {6 * value**5}, yours leads to {x.gradient}. "
            "The second part of a pair is the derivative of the cube alone, at the value of the input."
        )


def answer(node):
    """The derivative of x^3 is 3 x^2."""
    return Node(node.value**3, [(node, 3 * node.value**2)])


def mistake(node):
    """The derivative was taken at the result instead of the input."""
    result = node.value**3
    return Node(result, [(node, 3 * result**2)])
