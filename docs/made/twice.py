"""The smallest computation in which the order matters: b = a + a, c = b + b."""

import tinygrad_poly as tg
from tinygrad_poly import explain

a = tg.tensor(1.0, requires_grad=True)
with explain.recording() as recorded:
    b = a + a
    c = b + b

page = explain.steps(c, recording=recorded).to_html("b = a + a; c = b + b")
