"""Functions of one number, applied to each element.

Read a row as: name, y = f(x), ∂L/∂x with g = ∂L/∂y.
"""

from __future__ import annotations

from tinygrad_poly.arrays import namespace
from tinygrad_poly.derivatives.operation import Operation

exp = Operation("Exp", lambda x: namespace(x).exp(x), lambda g, y: g * y, saves="output")

log = Operation("Log", lambda x: namespace(x).log(x), lambda g, x: g / x)

sin = Operation("Sin", lambda x: namespace(x).sin(x), lambda g, x: g * cos(x))

cos: Operation = Operation("Cos", lambda x: namespace(x).cos(x), lambda g, x: -g * sin(x))

tanh = Operation("Tanh", lambda x: namespace(x).tanh(x), lambda g, y: g * (1 - y * y), saves="output")

# Not differentiable at 0, where the slope is infinite.
sqrt = Operation("Sqrt", lambda x: namespace(x).sqrt(x), lambda g, y: g / (2 * y), saves="output")

# The condition is not differentiated. Where it holds, y = a, otherwise y = b.
where: Operation = Operation(
    "Where",
    lambda condition, a, b: namespace(condition).where(condition, a, b),
    None,
    lambda g, condition, a, b: where(condition, g, 0.0),
    lambda g, condition, a, b: where(condition, 0.0, g),
)
