"""Cases of `derivatives/shapes.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

import numpy as np
import torch

import tinygrad_poly as tg
from tinygrad_poly.derivatives import shapes
from tinygrad_poly.operators import apply_operation

from ..checks import Case
from .common import ONE

log, sqrt = np.log, np.sqrt

CASES: list[Case] = [
    Case(shapes.reshape, "view(-1, 1)", lambda m, x: x.view(-1, 1), [((),), ((3,),), ((2, 3),), ((0,),)]),
    Case(shapes.reshape, "reshape(3, -1)", lambda m, x: (x * x).reshape(3, -1), [((2, 3),), ((3, 4, 1),)]),
    Case(shapes.reshape, "reshape(x, (6,))", lambda m, x: m.reshape(x, (6,)), [((2, 3),)]),
    Case(shapes.reshape, "flatten, unsqueeze", lambda m, x: x.flatten().unsqueeze(-1), [((2, 3),), ((),)]),
    Case(shapes.reshape, "squeeze", lambda m, x: x.squeeze(), [((1, 3, 1),), ((1,),)]),
    Case(shapes.permute, "permute(2, 0, 1)", lambda m, x: (x * x).permute(2, 0, 1), [((2, 3, 4),), ((2, 0, 4),)]),
    Case(shapes.permute, "transpose(0, -1)", lambda m, x: x.transpose(0, -1), [((2, 3, 4),), ((2, 3),)]),
    Case(shapes.permute, "t()", lambda m, x: x.t(), [((2, 3),), ((3,),)]),
    Case(shapes.permute, "mT", lambda m, x: x.mT * 2, [((2, 3, 4),)]),
    Case(shapes.broadcast_to, "expand(4, 2, 3)", lambda m, x: x.expand(4, 2, 3), [((2, 3),), ((1, 3),), ((),)]),
    Case(shapes.broadcast_to, "expand(-1, 4)", lambda m, x: (x * x).expand(-1, 4), [((3, 1),), ((0, 1),)]),
    Case(shapes.broadcast_to, "broadcast_to", lambda m, x: m.broadcast_to(x, (2, 3)), [((1,),), ((3,),), ((2, 1),)]),
    Case(shapes.broadcast_to, "a sum of an expanded one", lambda m, x: x.expand(5, 3).sum(), [((1,),), ((),)]),
    Case(shapes.astype, "double()", lambda m, x: (x * x).double(), ONE),
    Case(shapes.astype, "to(float32)", lambda m, x: x.to(m.float32) * 2, ONE),
    Case(
        shapes.to_device,
        "to another device",
        lambda m, x: apply_operation(shapes.to_device, x, tg.device("cpu"), tg.device("cpu")) * 2,
        ONE,
        torch_call=lambda m, x: x.to("cpu") * 2,
    ),
    Case(shapes.clone, "clone()", lambda m, x: x.clone() * x, ONE),
    *(
        Case(shapes.getitem, f"x[{label}]", lambda m, x, index=index: (x * x)[index], [((3, 4),), ((3, 4, 2),)])
        for label, index in {
            "1": 1,
            "-1, 2": (-1, 2),
            "1:": slice(1, None),
            "::2, 1:3": (slice(None, None, 2), slice(1, 3)),
            "..., None, 0": (Ellipsis, None, 0),
            "[2, 0, 2]": [2, 0, 2],
            "[0, 0, 1], [1, 1, 3]": ([0, 0, 1], [1, 1, 3]),
            "3:": slice(3, None),
        }.items()
    ),
    Case(shapes.getitem, "x[x > 0]", lambda m, x: x[x > 0], [((3, 4),), ((7,),)]),
    Case(shapes.getitem, "x[tensor]", lambda m, x: x[m.tensor([1, 1, 0])], [((3,),), ((2, 3),)]),
    Case(
        shapes.put,
        "put at [2, 0, 2]",
        lambda m, g: apply_operation(shapes.put, g * g, (4, 2), [2, 0, 2]),
        [((3, 2),)],
        torch_call=lambda m, g: g.new_zeros(4, 2).index_put((torch.tensor([2, 0, 2]),), g * g, accumulate=True),
    ),
    Case(
        shapes.put,
        "put at 1:3",
        lambda m, g: apply_operation(shapes.put, g * g, (4, 2), slice(1, 3)),
        [((2, 2),)],
        torch_call=lambda m, g: g.new_zeros(4, 2).slice_scatter(g * g, 0, 1, 3),
    ),
]
