"""Cases of `derivatives/shapes.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

import tinygrad_poly as tg
from tinygrad_poly.derivatives import shapes
from tinygrad_poly.engine.apply import apply_operation

from ..checks import Case
from .common import ONE

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
    Case(shapes.reshape, "flatten(1, 2)", lambda m, x: (x * x).flatten(1, 2), [((2, 3, 4),), ((2, 3, 4, 2),)]),
    Case(shapes.reshape, "unflatten", lambda m, x: x.unflatten(1, (2, -1)) * 2, [((3, 4),), ((1, 6, 2),)]),
    Case(shapes.reshape, "ravel", lambda m, x: m.ravel(x) * 2, [((3, 4),), ((),)]),
    Case(shapes.reshape, "squeeze((0, 1))", lambda m, x: x.squeeze((0, 1)), [((1, 3, 1),), ((1, 1),)]),
    Case(shapes.permute, "movedim", lambda m, x: (x * x).movedim((0, 2), (-1, 0)), [((2, 3, 4),), ((2, 3, 4, 2),)]),
    Case(shapes.permute, "swapaxes", lambda m, x: m.swapaxes(x, 0, -2), [((2, 3, 4),)]),
    Case(
        shapes.broadcast_to, "tile", lambda m, x: (x * x).tile((2, 1, 3)), [((3,),), ((2, 2),), ((),), ((2, 2, 1, 3),)]
    ),
    Case(shapes.broadcast_to, "repeat(2, 1, 3)", lambda m, x: x.repeat(2, 1, 3), [((3,),), ((2, 2),)]),
    Case(shapes.broadcast_to, "repeat_interleave(3)", lambda m, x: x.repeat_interleave(3), [((2, 3),), ((),)]),
    Case(shapes.broadcast_to, "repeat_interleave(2, 1)", lambda m, x: m.repeat_interleave(x, 2, 1), [((2, 3, 2),)]),
    Case(shapes.flip, "flip(0)", lambda m, x: (x * x).flip(0), [((3,),), ((2, 3),), ((0, 2),)]),
    Case(shapes.flip, "flip((0, -1))", lambda m, x: m.flip(x * x, (0, -1)), [((2, 3, 4),), ((2, 3),)]),
    *(
        Case(shapes.flip, f"rot90({k})", lambda m, x, k=k: m.rot90(x * x, k, (1, 0)), [((2, 3),), ((2, 3, 2),)])
        for k in (0, 1, 2, 3, -1)
    ),
    Case(shapes.roll, "roll(2)", lambda m, x: (x * x).roll(2), [((5,),), ((2, 3),), ((0,),)]),
    Case(shapes.roll, "roll(-1, 1)", lambda m, x: m.roll(x * x, -1, 1), [((2, 4),), ((2, 3, 2),)]),
    Case(shapes.roll, "roll((1, 7), (0, 2))", lambda m, x: (x * x).roll((1, 7), (0, 2)), [((3, 2, 4),)]),
    *(
        Case(shapes.broadcast_to, f"meshgrid {how}", lambda m, *v, how=how: m.stack(m.meshgrid(*v, indexing=how)), axes)
        for how in ("ij", "xy")
        for axes in ([((2,), (3,)), ((2,), (3,), (4,)), ((3,),), ((2,), ())],)
    ),
    Case(
        shapes.broadcast_to,
        "broadcast_tensors",
        lambda m, a, b: m.cat(m.broadcast_tensors(a, b * b)),
        [((3, 1), (4,)), ((2,), (2,))],
    ),
]
