"""Exercise 5: write `answer(result)`, which sets `gradient` of every node behind a result, for step 3's nodes."""

from step03_node import Node
from step04_order import in_order


def check(answer):
    """Compare with calculus where a number is used once, twice and three times."""
    for name, made, exact in (
        ("2 x", lambda x: x + x, 2.0),
        ("x^3", lambda x: x * x * x, 12.0),
        ("(x^2 - x)^2", lambda x: (x * x - x).square(), 12.0),
    ):
        x = Node(2.0)
        answer(made(x))
        assert x.gradient == exact, (
            f"the derivative of {name} at 2 is {exact}, yours is {x.gradient}. "
            "Each use of x sends its part; the gradient is the sum of the parts."
        )


def answer(result):
    """Each use adds its part."""
    result.gradient = 1.0
    for node in in_order(result):
        for source, derivative in node.inputs:
            source.gradient += node.gradient * derivative


def mistake(result):
    """The part of the last use overwrites the others."""
    result.gradient = 1.0
    for node in in_order(result):
        for source, derivative in node.inputs:
            source.gradient = node.gradient * derivative
