"""The graph of step 2: a box for each number, an arrow for each use."""

import tinygrad_poly as tg
from tinygrad_poly import explain

w = tg.tensor(1.0, requires_grad=True)
x, y = tg.tensor(2.0), tg.tensor(5.0)
with explain.recording() as recorded:
    prediction = w * x
    error = prediction - y
    loss = error**2
loss.backward()

picture = explain.graph(loss, recorded).to_svg()
