"""What the functions of shapes, joining and diagonals return, and what they refuse."""

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DimensionError, DtypeError, ShapeError

from ..helpers import assert_like, both

# Functions of x with elements 0 … 23 in shape (2, 3, 4), the same in both libraries.
SAME = {
    "flatten": lambda m, x: x.flatten(),
    "flatten(1)": lambda m, x: m.flatten(x, start_dim=1),
    "flatten(0, 1)": lambda m, x: m.flatten(x, end_dim=1),
    "flatten(1, 1)": lambda m, x: m.flatten(x, 1, 1),
    "unflatten": lambda m, x: m.unflatten(x, -1, (2, 2)),
    "ravel": lambda m, x: x.ravel(),
    "squeeze": lambda m, x: x[:, None, :1].squeeze(),
    "squeeze(1)": lambda m, x: x[:, None, :1].squeeze(1),
    "squeeze(0)": lambda m, x: m.squeeze(x, 0),
    "squeeze((0, 1, 2))": lambda m, x: m.squeeze(x[:, None, :1], (0, 1, 2)),
    "unsqueeze(-1)": lambda m, x: m.unsqueeze(x, -1),
    "swapaxes": lambda m, x: m.swapaxes(x, 0, 1),
    "swapdims": lambda m, x: x.swapdims(-1, 1),
    "movedim": lambda m, x: m.movedim(x, 0, 1),
    "movedim of two": lambda m, x: m.movedim(x, (0, 1), (2, 0)),
    "moveaxis": lambda m, x: m.moveaxis(x, (0, -1), (-1, 0)),
    "expand_as": lambda m, x: x[:, :1].expand_as(x),
    "flip()": lambda m, x: m.flip(x, ()),
    "flip((0, 2))": lambda m, x: x.flip((0, 2)),
    "flip(0, 2)": lambda m, x: x.flip(0, 2),
    "roll over the end": lambda m, x: x.roll((5, -7), (2, 1)),
    "roll twice": lambda m, x: x.roll(9),
    "rot90 of others": lambda m, x: m.rot90(x, 5, (2, 0)),
    "cat of one": lambda m, x: m.cat([x], -1),
    "concat": lambda m, x: m.concat([x, x[:1]]),
    "concatenate": lambda m, x: m.concatenate((x, x[:, :, :1]), dim=2),
    "stack(-2)": lambda m, x: m.stack([x, x + 1], -2),
    "hstack": lambda m, x: m.hstack([x, x[:, :1]]),
    "vstack of numbers": lambda m, x: m.vstack([x[0, 0, 0], x[0, 0, 1]]),
    "tile": lambda m, x: m.tile(x, (2, 1)),
    "repeat": lambda m, x: x.repeat(1, 2, 1, 2),
    "repeat_interleave": lambda m, x: x.repeat_interleave(m.tensor([0, 2]), 0),
    "repeat_interleave of one number": lambda m, x: m.repeat_interleave(x, m.tensor([2]), 1),
    "diagonal": lambda m, x: x.diagonal(),
    "diag_embed": lambda m, x: m.diag_embed(x, 1, 0, -1),
    "tril": lambda m, x: x.tril(1),
    "triu": lambda m, x: x.triu(diagonal=-1),
    "permute of nothing": lambda m, x: x.sum().permute(()),
    "reshape of nothing": lambda m, x: x[:0].reshape(0, 5),
    "pad": lambda m, x: (m.nn.functional if m is torch else m).pad(x, (0, 1, 2, 0, -1, 3), "constant", 9),
}
SEVERAL = {
    "split(3)": lambda m, x: x.split(3, -1),
    "split(5)": lambda m, x: m.split(x, 5, 2),
    "split of sections": lambda m, x: m.split(x, [3, 0, 1], dim=2),
    "split of nothing": lambda m, x: m.split(x[:0], 2),
    "chunk(2)": lambda m, x: x.chunk(2, 1),
    "chunk(3)": lambda m, x: m.chunk(x, 3, dim=2),
    "chunk of too many": lambda m, x: x.chunk(5, 2),
    "chunk of nothing": lambda m, x: m.chunk(x[:0], 2),
    "tensor_split(3)": lambda m, x: x.tensor_split(3, 2),
    "tensor_split(5)": lambda m, x: m.tensor_split(x, 5, dim=1),
    "tensor_split at": lambda m, x: m.tensor_split(x, (1, 3), dim=2),
    "tensor_split beyond": lambda m, x: m.tensor_split(x, (2, 1, 9), dim=2),
    "tensor_split from the end": lambda m, x: m.tensor_split(x, (-1,), dim=2),
    "unbind": lambda m, x: x.unbind(),
    "unbind(-1)": lambda m, x: m.unbind(x, -1),
    "meshgrid": lambda m, x: m.meshgrid(x[0, 0], x[0, :, 0], indexing="ij"),
    "meshgrid xy": lambda m, x: m.meshgrid([x[0, 0], x[0, :, 0], x[:, 0, 0]], indexing="xy"),
    "broadcast_tensors": lambda m, x: m.broadcast_tensors(x[:, :1], x[0], x[0, 0, 0]),
}


def counted(m):
    return m.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize("function", SAME.values(), ids=SAME)
def test_function_is_torchs(function):
    assert_like(function(tg, counted(tg)), function(torch, counted(torch)))


@pytest.mark.parametrize("function", SEVERAL.values(), ids=SEVERAL)
def test_function_with_several_results_is_torchs(function):
    mine, reference = function(tg, counted(tg)), function(torch, counted(torch))
    assert isinstance(mine, tuple)
    assert len(mine) == len(reference)
    for a, b in zip(mine, reference, strict=True):
        assert_like(a, b)


NUMPYS = {
    "squeeze(axis=)": lambda m, x: m.squeeze(x[:, :1], axis=1),
    "expand_dims(axis=)": lambda m, x: m.expand_dims(x, axis=1),
    "permute_dims(axes=)": lambda m, x: m.permute_dims(x, axes=(2, 0, 1)),
    "flip": lambda m, x: m.flip(x),
    "flip(axis=)": lambda m, x: m.flip(x, axis=(0, -1)),
    "flip(axis=None)": lambda m, x: m.flip(x, axis=None),
    "roll(axis=)": lambda m, x: m.roll(x, (1, 2), axis=(0, 2)),
    "concat(axis=)": lambda m, x: m.concat([x, x], axis=1),
    "concat(axis=None)": lambda m, x: m.concat([x, x[0]], None),
    "stack(axis=)": lambda m, x: m.stack([x, x], axis=-1),
    "tile": lambda m, x: m.tile(x, (2, 1, 1, 3)),
    "repeat(axis=)": lambda m, x: m.repeat(x, 2, axis=1),
    "repeat": lambda m, x: m.repeat(x, 2),
    "tril(k=)": lambda m, x: m.tril(x, k=-1),
    "triu(k=)": lambda m, x: m.triu(x, k=1),
    "matrix_transpose": lambda m, x: m.matrix_transpose(x),
}


@pytest.mark.parametrize("function", NUMPYS.values(), ids=NUMPYS)
def test_function_under_its_array_api_name_is_numpys(function):
    assert_like(function(tg, counted(tg)), tg.tensor(function(np, counted(np))))


def test_unstack_undoes_stack_along_an_axis():
    x = counted(tg)
    assert tg.stack(tg.unstack(x, axis=1), axis=1).tolist() == x.tolist()


# What both libraries refuse; the message is this one's.
REFUSED = {
    "flatten backwards": (lambda m, x: m.flatten(x, 2, 0), ShapeError, "start_dim 2 comes after end_dim 0"),
    "flatten beyond": (lambda m, x: m.flatten(x, 0, 3), DimensionError, "dimension 3 is out of range"),
    "unflatten": (lambda m, x: m.unflatten(x, 2, (3, 2)), ShapeError, r"4 elements do not fit.*\(3, 2\)"),
    "permute too few": (lambda m, x: m.permute(x, (0, 1)), ShapeError, "3 dimensions need an order of 3"),
    "permute by numbers": (lambda m, x: m.permute(x, (0, 1, 0.5)), DtypeError, "integers"),
    "reshape by numbers": (lambda m, x: x.reshape(2.0, 12), DtypeError, "integers"),
    "transpose of three": (lambda m, x: m.transpose(x, 0, (1, 2)), DtypeError, "one dimension"),
    "movedim": (lambda m, x: m.movedim(x, (0, 1), 2), ShapeError, "2 dimensions cannot move to 1"),
    "movedim twice": (lambda m, x: m.movedim(x, (0, 0), (1, 2)), DimensionError, "same dimension twice"),
    "roll": (lambda m, x: m.roll(x, (1, 2), 0), ShapeError, "2 shifts"),
    "rot90": (lambda m, x: m.rot90(x, 1, (0, 0)), ShapeError, "twice"),
    "cat of nothing": (lambda m, x: m.cat([]), ShapeError, "at least one"),
    "cat of a tensor": (lambda m, x: m.cat(x), DtypeError, "list or tuple of tensors, not Tensor"),
    "cat of numbers": (lambda m, x: m.cat([1.0, 2.0]), DtypeError, "expects a tensor, not float"),
    "cat of 0-d ones": (lambda m, x: m.cat([x.sum(), x.sum()]), ShapeError, "use stack"),
    "cat of others": (lambda m, x: m.cat([x, x[:, 1:]]), ShapeError, r"\(2, 3, 4\) and \(2, 2, 4\).*dimension 0 only"),
    "cat of other ndims": (lambda m, x: m.cat([x, x[0]]), ShapeError, r"\(2, 3, 4\) and \(3, 4\)"),
    "cat beyond": (lambda m, x: m.cat([x, x], 3), DimensionError, "cat: dimension 3 is out of range"),
    "stack of others": (lambda m, x: m.stack([x, x[:1]]), ShapeError, r"equal shapes, not \(2, 3, 4\) and \(1, 3, 4\)"),
    "split(0)": (lambda m, x: m.split(x, 0), ShapeError, "length of 1 or more, not 0"),
    "split(-1)": (lambda m, x: m.split(x, -1), ShapeError, "length of 1 or more, not -1"),
    "split of sections": (lambda m, x: m.split(x, [1, 2]), ShapeError, r"\(1, 2\) do not add up to 2"),
    "split of a negative one": (lambda m, x: m.split(x, [3, -1]), ShapeError, "do not add up"),
    "chunk(0)": (lambda m, x: m.chunk(x, 0), ShapeError, "1 chunk or more"),
    "tensor_split(0)": (lambda m, x: m.tensor_split(x, 0), ShapeError, "1 part or more"),
    "unbind of a number": (lambda m, x: m.unbind(x.sum()), DimensionError, "0-dimensional"),
    "tile": (lambda m, x: m.tile(x, (-1,)), ShapeError, "0 or more, not"),
    "repeat": (lambda m, x: x.repeat(2, 2), ShapeError, "at least 3 numbers"),
    "repeat_interleave": (lambda m, x: x.repeat_interleave(-1), ShapeError, "0 or more"),
    "repeat_interleave of too many": (
        lambda m, x: x.repeat_interleave(m.tensor([1, 2, 3, 4]), 0), ShapeError, "2 of them for dimension 0",
    ),
    "repeat_interleave of a float": (lambda m, x: x.repeat_interleave(1.5), ShapeError, "1.5"),
    "broadcast_tensors": (lambda m, x: m.broadcast_tensors(x, x[:, :2]), ShapeError, r"\(2, 3, 4\) and \(2, 2, 4\)"),
    "meshgrid": (lambda m, x: m.meshgrid(x, x, indexing="ij"), ShapeError, "vectors"),
    "meshgrid ji": (lambda m, x: m.meshgrid(x[0, 0], x[0, 0], indexing="ji"), DtypeError, "'ij' or 'xy', not 'ji'"),
    "diagonal": (lambda m, x: x.diagonal(0, 1, 1), ShapeError, "same dimension, 1"),
    "diag_embed": (lambda m, x: m.diag_embed(x, 0, 1, 1), ShapeError, "same dimension, 1"),
    "diag": (lambda m, x: m.diag(x), ShapeError, r"a vector or a matrix, not shape \(2, 3, 4\)"),
    "tril": (lambda m, x: m.tril(x[0, 0]), ShapeError, r"a matrix or several, not shape \(4,\)"),
    "triu": (lambda m, x: m.triu(x[0, 0]), ShapeError, r"a matrix or several, not shape \(4,\)"),
    "expand_as": (lambda m, x: x.expand_as(x[0]), ShapeError, "cannot be repeated"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_function_refuses_what_torch_refuses_and_says_why(function, error, message):
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
        function(torch, counted(torch))
    with pytest.raises(error, match=message):
        function(tg, counted(tg))


@pytest.mark.parametrize(("counts", "message"), [
    ((1,), "two counts for each dimension"),
    ((1,) * 8, "two counts for each dimension"),
    ((-3, -2), "takes more elements away"),
], ids=str)  # fmt: skip
def test_pad_refuses_what_torch_refuses(counts, message):
    with pytest.raises(RuntimeError):
        torch.nn.functional.pad(counted(torch), counts)
    with pytest.raises(ShapeError, match=message):
        tg.pad(counted(tg), counts)


def test_pad_has_one_mode():
    with pytest.raises(DtypeError, match="only 'constant'"):
        tg.pad(counted(tg), (1, 1), "reflect")


def test_functions_of_shapes_expect_tensors():
    for name in ("flatten", "ravel", "squeeze", "t", "flip", "rot90", "diag", "tril", "triu", "unbind"):
        with pytest.raises(DtypeError, match="expects a tensor, not list"):
            getattr(tg, name)([[1.0]])


@both
def test_shapes_of_booleans_and_integers_keep_their_dtype(m):
    for x in (counted(m), counted(m) > 3):
        for y in (m.cat([x, x]), m.stack([x]), x.flip(0), x.roll(1), x.tril(), m.diag_embed(x), x.tile((2,))):
            assert y.dtype == x.dtype
            assert not y.requires_grad


@both
def test_integers_beside_floating_numbers_become_floating(m):
    assert m.cat([m.tensor([1]), m.tensor([2.5])]).dtype == m.float32
