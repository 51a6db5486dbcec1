"""One weight and one point, step by step."""

import tinygrad_poly as tg
from tinygrad_poly import explain

w = tg.tensor(1.0, requires_grad=True)
x, y = tg.tensor(2.0), tg.tensor(5.0)
with explain.recording() as recorded:
    prediction = w * x
    error = prediction - y
    loss = error**2

page = explain.steps(loss, recording=recorded).to_html("(w x - y)^2")
