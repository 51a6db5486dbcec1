"""Cases of `derivatives/piecewise.py`. Multiples of ½ meet many of the points without a derivative."""

from __future__ import annotations

from tinygrad_poly.derivatives import piecewise
from tinygrad_poly.engine.apply import apply_operation

from ..checks import Case
from .arithmetic import THREE
from .common import ONE, TWO

CASES: list[Case] = [
    # times x, so that there is a gradient at all
    *(
        Case(getattr(piecewise, name), f"{name}(x) * x", lambda m, x, name=name: getattr(m, name)(x) * x, ONE)
        for name in ("floor", "ceil", "trunc", "round", "sign")
    ),
    Case(piecewise.round, "round(x / 4, decimals=1) * x", lambda m, x: m.round(x / 4, decimals=1) * x, ONE),
    Case(piecewise.round, "round(20 x, decimals=-1) * x", lambda m, x: m.round(20 * x, decimals=-1) * x, ONE),
    Case(
        piecewise.tied,
        "a * a, tied to b, * b",
        lambda m, a, b: apply_operation(piecewise.tied, a * a, b) * b,
        [((), ()), ((3,), (3,)), ((2, 3), (2, 3))],
        torch_call=lambda m, a, b: a * a * b,
    ),
    Case(piecewise.abs, "abs(x) * x", lambda m, x: abs(x) * x, ONE),
    *(
        Case(getattr(piecewise, name), f"{name}(a, b)", lambda m, a, b, name=name: getattr(m, name)(a, b), TWO)
        for name in ("maximum", "minimum", "fmax", "fmin")
    ),
    Case(
        piecewise.maximum,
        "maximum(1, x)",
        lambda m, x: m.maximum(1, x),
        ONE,
        torch_call=lambda m, x: m.maximum(m.ones_like(x), x),
    ),
    Case(piecewise.clamp, "clamp(x, -1, 0.5)", lambda m, x: m.clamp(x, -1, 0.5), ONE),
    Case(piecewise.clamp, "clamp(x, min=-1)", lambda m, x: m.clamp(x, min=-1), ONE),
    Case(piecewise.clamp, "clamp(x, max=1)", lambda m, x: x.clamp(max=1), ONE),
    Case(
        piecewise.clamp,
        "clamp(x, a, b)",
        lambda m, x, a, b: m.clamp(x, a, b),
        THREE,
        # torch's derivative fails where x is broadcast
        torch_call=lambda m, x, a, b: m.clamp(*m.broadcast_tensors(x, a, b)),
    ),
    Case(piecewise.clamp, "clamp(x, min=a)", lambda m, x, a: m.clamp(x, min=a), TWO),
    Case(piecewise.clamp, "clamp(x, max=b)", lambda m, x, b: m.clamp(x, max=b), TWO),
    Case(piecewise.nan_to_num, "nan_to_num(x) * x", lambda m, x: m.nan_to_num(x) * x, ONE),
]
