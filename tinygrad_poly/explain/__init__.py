"""Explanations: a computation as a graph, and its backward pass step by step.

>>> import tinygrad_poly as tg
>>> from tinygrad_poly import explain
>>> b, x, y = tg.tensor(2.0, requires_grad=True), tg.tensor([1.0, 2.0]), tg.tensor([3.0, 6.0])
>>> with explain.recording() as recorded:
...     r = b * x - y
...     loss = (r ** 2).sum()
>>> print(explain.graph(loss, recorded))
value  made by  is        gradient
b      leaf     2
x      data     [1, 2]
v2     b · x    [2, 4]
y      data     [3, 6]
r      v2 − y   [−1, −2]
v5     r ^ 2    [1, 4]
loss   sum(v5)  5
There are no gradients yet: call backward() first to see them.
>>> print(explain.steps(loss, recording=recorded))
step  at              gradient  to  local derivative  sends     together
1     loss = sum(v5)  1         v5  1                 [1, 1]
2     v5 = r ^ 2      [1, 1]    r   2 r = [−2, −4]    [−2, −4]
3     r = v2 − y      [−2, −4]  v2  1                 [−2, −4]
4     v2 = b · x      [−2, −4]  b   x = [1, 2]        −10
5     b               −10
"""

from tinygrad_poly.explain.graph import Graph as Graph
from tinygrad_poly.explain.graph import graph as graph
from tinygrad_poly.explain.recording import Recording as Recording
from tinygrad_poly.explain.steps import Steps as Steps
from tinygrad_poly.explain.steps import steps as steps

recording = Recording
