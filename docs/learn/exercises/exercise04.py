"""Exercise 4: write `answer(result)`, all nodes behind a result, each once and after all nodes that used it."""

from step03_node import Node


def check(answer):
    """Look at every arrow of two graphs: it has to lead forward in the list."""
    a, d = Node(2.0), Node(3.0)
    b = a + a
    e = d * b
    for result in (b + b, d + e):
        order = list(answer(result))
        assert len(order) == len(set(order)), "a node is in the list twice"
        assert order[0] is result, "the result has to come first"
        place = {node: number for number, node in enumerate(order)}
        for node in order:
            for source, _ in node.inputs:
                assert source in place, "an input is missing in the list"
                assert place[node] < place[source], (
                    f"the node with value {source.value} comes before the one with value {node.value}, "
                    "which still has something to send to it."
                )


def answer(result):
    """List what a node is made of before the node itself, and turn the list around at the end."""
    seen, order, stack = set(), [], [(result, False)]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack += [(node, True), *((source, False) for source, _ in node.inputs)]
    return order[::-1]


def mistake(result):
    """Each node as soon as it is seen: too early for one that another path leads to."""
    order, stack = [], [result]
    while stack:
        node = stack.pop(0)
        if node not in order:
            order.append(node)
            stack[:0] = [source for source, _ in node.inputs]
    return order
