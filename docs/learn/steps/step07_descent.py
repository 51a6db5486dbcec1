"""Step 7: a loss, and steps downhill."""

import numpy as np
from step06_arrays import Node, backward

x = Node([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
y = Node(3 * x.value)
w, b = Node(0.5), Node(0.25)
share = Node(1 / 6)
rate = 0.01

for step in range(1001):
    loss = (w * x + b - y).square().sum() * share
    for weight in (w, b):
        weight.gradient = np.zeros_like(weight.value)
    backward(loss)
    for weight in (w, b):
        weight.value = weight.value - rate * weight.gradient
    if step % 200 == 0:
        print(f"{step:5} loss {loss.value:10.6f}  w {w.value:.4f}  b {b.value:.4f}")
