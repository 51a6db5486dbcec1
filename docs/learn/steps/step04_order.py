"""Step 4: the order in which gradients can be passed on."""

from step03_node import Node


def in_order(result):
    """All nodes that the result was made of, each once, and after every node that used it."""
    uses, found = {result: 0}, [result]
    for node in found:
        for source, _ in node.inputs:
            if source not in uses:
                uses[source] = 0
                found.append(source)
            uses[source] += 1
    ready, order = [result], []
    for node in ready:
        order.append(node)
        for source, _ in node.inputs:
            uses[source] -= 1
            if uses[source] == 0:
                ready.append(source)
    return order


def paths(node):
    """How often the function `backward` of step 3 would be called."""
    return 1 + sum(paths(source) for source, _ in node.inputs)


if __name__ == "__main__":
    a = Node(1.0)
    b = a + a
    c = b + b
    names = {a: "a", b: "b", c: "c"}
    print("order:", *(names[node] for node in in_order(c)))
    print("calls in step 3:", paths(c))

    for _ in range(10):
        c = c + c
    print("ten more lines: order of", len(in_order(c)), "nodes, calls in step 3:", paths(c))
