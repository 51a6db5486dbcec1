"""Cases of `derivatives/indexing.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tinygrad_poly.derivatives import indexing
from tinygrad_poly.engine.apply import apply_operation

from ..checks import Case

INDICES: dict[str, Any] = {
    "1": 1,
    "-1, 2": (-1, 2),
    "1:": slice(1, None),
    "::2, 1:3": (slice(None, None, 2), slice(1, 3)),
    "..., None, 0": (Ellipsis, None, 0),
    "None, 1, None": (None, 1, None),
    "[2, 0, 2]": [2, 0, 2],
    "[0, 0, 1], [1, 1, 3]": ([0, 0, 1], [1, 1, 3]),
    "[[0], [2]], [1, 1, 3]": ([[0], [2]], [1, 1, 3]),
    "[2, 2], :2": ([2, 2], slice(2)),
    ":, [3, 3, 0]": (slice(None), [3, 3, 0]),
    "[0, 0], None, [1, 1]": ([0, 0], None, [1, 1]),
    "1, [0, 0]": (1, [0, 0]),
    "mask of rows": [True, False, True],
    "mask of rows, 1": ([True, False, True], 1),
    "3:": slice(3, None),
    "()": (),
}

NUMBERS = [[2, 0, 1, 2], [0, 0, 2, 1]]
FIRST = [[0, 2], [1, 0]]

CASES: list[Case] = [
    *(
        Case(indexing.getitem, f"x[{label}]", lambda m, x, index=index: (x * x)[index], [((3, 4),), ((3, 4, 2),)])
        for label, index in INDICES.items()
    ),
    Case(indexing.getitem, "x[many rows]", lambda m, x: (x * x)[[2, 0] * 20], [((3, 4),), ((30, 40),), ((400, 40),)]),
    Case(indexing.getitem, "x[many elements]", lambda m, x: x[[[0, 1]] * 600, [1, 1]] * 2, [((30, 40),)]),
    Case(indexing.getitem, "x[[]]", lambda m, x: x[[]], [((3, 4),)]),
    Case(indexing.getitem, "x[None], of no dimensions", lambda m, x: x[None, ...] * x[()], [((),)]),
    Case(indexing.getitem, "x[x > 0]", lambda m, x: x[x > 0], [((3, 4),), ((7,),)]),
    Case(indexing.getitem, "x[x > 9]", lambda m, x: x[x > 9], [((3, 4),)]),
    Case(
        indexing.getitem, "x[tensor]", lambda m, x: x[m.tensor([1, 1, 0])], [((3,),), ((2, 3),), ((20,),), ((20, 3),)]
    ),
    Case(indexing.getitem, "x[matrix]", lambda m, x: x[m.tensor([[2, 0], [2, -1]])] * 2, [((3, 4),), ((5,),)]),
    Case(indexing.getitem, "x[tensor of no dimensions]", lambda m, x: x[m.tensor(1)] * 2, [((3,),), ((2, 3),)]),
    Case(
        indexing.getitem,
        "x[::-1]",
        lambda m, x: (x * x)[::-1, 2:0:-2],
        [((3, 4),)],
        torch_call=lambda m, x: (x * x).flip(0)[:, [2]],
    ),
    Case(indexing.getitem, "select", lambda m, x: x.select(1, -1) * 2, [((3, 4),), ((2, 3, 2),)]),
    Case(indexing.getitem, "narrow", lambda m, x: m.narrow(x * x, 1, 1, 2), [((3, 4),), ((2, 3, 2),)]),
    Case(indexing.getitem, "split(2)", lambda m, x: m.cat(x.split(2)[::-1]) * 2, [((5,),), ((4, 3),)]),
    Case(indexing.getitem, "split([1, 0, 3], 1)", lambda m, x: x.split([1, 0, 3], 1)[2] * 2, [((3, 4),)]),
    Case(indexing.getitem, "chunk", lambda m, x: m.chunk(x * x, 3)[1], [((5,),), ((8, 2),)]),
    Case(indexing.getitem, "tensor_split(3)", lambda m, x: m.tensor_split(x, 3, -1)[0] * 2, [((5,),), ((2, 7),)]),
    Case(indexing.getitem, "tensor_split((1, 3))", lambda m, x: m.tensor_split(x, (1, 3))[1] * 2, [((5,),), ((2, 7),)]),
    Case(indexing.getitem, "unbind", lambda m, x: m.stack(x.unbind(1)[:2]) * 2, [((3, 4),), ((2, 2, 3),)]),
    Case(indexing.getitem, "index_select", lambda m, x: x.index_select(1, m.tensor([2, 0, 2])) * 2, [((2, 3),)]),
    Case(indexing.getitem, "take", lambda m, x: (x * x).take(m.tensor([[0, 5], [5, -1]])), [((6,),), ((3, 2),)]),
    Case(indexing.getitem, "masked_select", lambda m, x: x.masked_select(x[:1] > 0) * 2, [((3, 4),)]),
    Case(
        indexing.getitem,
        "repeat_interleave of several",
        lambda m, x: m.repeat_interleave(x * x, m.tensor([2, 0, 1]), dim=0),
        [((3,),), ((3, 2),)],
    ),
    Case(indexing.getitem, "gather(0)", lambda m, x: (x * x).gather(0, m.tensor(NUMBERS)), [((3, 4),), ((3, 5),)]),
    Case(indexing.getitem, "gather(1)", lambda m, x: m.gather(x * x, 1, m.tensor(FIRST)), [((2, 3),), ((4, 3),)]),
    Case(
        indexing.getitem,
        "take_along_dim",
        lambda m, x: m.take_along_dim(x * x, m.tensor([[2, 0, 2]]), dim=1),
        [((2, 3),), ((1, 4),)],
    ),
    Case(
        indexing.getitem,
        "take_along_dim, sorted",
        lambda m, x: m.take_along_dim(x * x, m.tensor([[[2], [0]]]), 1),
        [((2, 3, 4),)],
    ),
    Case(indexing.getitem, "take_along_dim of all", lambda m, x: x.take_along_dim(m.tensor([1, 1, 0])), [((2, 3),)]),
    *(
        Case(
            indexing.getitem,
            f"diagonal({k})",
            lambda m, x, k=k: (x * x).diagonal(k),
            [((3, 4),), ((4, 2),), ((2, 3, 2),)],
        )
        for k in (0, 1, -1, 3, -2, 7, -7)
    ),
    Case(indexing.getitem, "diagonal of others", lambda m, x: m.diagonal(x * x, 1, -1, 0), [((3, 2, 4),), ((4, 3),)]),
    Case(indexing.getitem, "diag of a matrix", lambda m, x: m.diag(x * x, -1), [((3, 4),), ((1, 2),)]),
    Case(indexing.put, "diag of a vector", lambda m, x: m.diag(x * x, 1), [((3,),), ((0,),)]),
    Case(indexing.put, "diag_embed", lambda m, x: m.diag_embed(x * x), [((3,),), ((2, 3),)]),
    Case(indexing.put, "diag_embed(-2, 0, 2)", lambda m, x: m.diag_embed(x * x, -2, 0, 2), [((2, 3),)]),
    Case(
        indexing.put,
        "put at [2, 0, 2]",
        lambda m, g: apply_operation(indexing.put, g * g, (4, 2), np.array([2, 0, 2])),
        [((3, 2),)],
        torch_call=lambda m, g: g.new_zeros(4, 2).index_put((torch.tensor([2, 0, 2]),), g * g, accumulate=True),
    ),
    Case(
        indexing.put,
        "put at 1:3",
        lambda m, g: apply_operation(indexing.put, g * g, (4, 2), slice(1, 3)),
        [((2, 2),)],
        torch_call=lambda m, g: g.new_zeros(4, 2).slice_scatter(g * g, 0, 1, 3),
    ),
    Case(
        indexing.put,
        "index_put, accumulated",
        lambda m, x, v: (x * x).index_put((m.tensor([2, 0, 2]),), v * v, accumulate=True),
        [((3,), (3,)), ((3, 2), (2,)), ((3, 2), (3, 1)), ((4,), ())],
    ),
    Case(
        indexing.put,
        "index_add",
        lambda m, x, v: (x * x).index_add(1, m.tensor([0, 2, 0]), v * v, alpha=2),
        [((2, 3), (2, 3)), ((2, 4, 2), (2, 3, 2))],
    ),
    Case(
        indexing.put,
        "scatter_add",
        lambda m, x, v: (x * x).scatter_add(0, m.tensor(NUMBERS), v * v),
        [((3, 4), (2, 4)), ((4, 5), (2, 4))],
    ),
    Case(
        indexing.replace,
        "index_put",
        lambda m, x, v: (x * x).index_put((m.tensor([2, 0]), m.tensor([1, 1])), v * v),
        [((3, 2), (2,)), ((3, 2), ()), ((3, 2, 2), (2, 1)), ((3, 2, 2), (2,))],
    ),
    Case(
        indexing.replace,
        "index_put at a mask",
        lambda m, x, v: (x * x).index_put((m.tensor([True, False, True]),), v * v),
        [((3,), (2,)), ((3, 2), ()), ((3, 2), (2, 2))],
    ),
    Case(
        indexing.replace,
        "scatter",
        lambda m, x, v: (x * x).scatter(1, m.tensor(FIRST), v * v),
        [((2, 3), (2, 2)), ((3, 4), (2, 2))],
    ),
    Case(indexing.replace, "scatter of a number", lambda m, x: (x * x).scatter(1, m.tensor(FIRST), 7.0), [((2, 3),)]),
]
