"""Loss functions: how far a model's output is from its target."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly import functions
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import checked, wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.tensor import Tensor

REDUCTIONS = ("mean", "sum", "none")


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def check_reduction(reduction: str) -> None:
    """Raise an error unless the value names a reduction.

    Raises:
        ValueError: for anything but "mean", "sum" and "none".
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', not {reduction!r}")


def _compare_shapes(input: Tensor, target: Tensor, name: str) -> None:
    """Warn, as torch does, where the two are repeated along each other: a column less a row is a matrix."""
    a, b = input.array.shape, target.array.shape
    if a != b and math.prod(a) != 1 != math.prod(b):
        warnings.warn(
            f"{name}: the target has shape {b} and the input {a}, so that they are repeated to fit, which is rarely "
            "what is meant; give both one shape, with reshape()",
            stacklevel=3,
        )


def _difference(input: Tensor, target: Tensor, reduction: str, name: str) -> Tensor:
    """The difference `input` − `target`.

    Raises:
        ValueError: for an unknown reduction.
        ShapeError: where the shapes do not fit.
    """
    check_reduction(reduction)
    checked(input, name), checked(target, name)
    try:
        difference = input - target
    except ShapeError:
        raise ShapeError(f"{name}: input of shape {input.shape} does not fit target of shape {target.shape}") from None
    _compare_shapes(input, target, name)
    return difference


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared error (x − t)², averaged, summed or for each element; its derivative is 2 (x − t), over n in a mean.

    >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]), reduction="none")
    tensor([0., 4.])
    """
    if reduction == "mean":
        loss = functions.mse_loss(input, target)
        _compare_shapes(input, target, "mse_loss")
        return loss
    return _reduced(_difference(input, target, reduction, "mse_loss") ** 2, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The absolute error |x − t|, as its mean, its sum or each element; the derivative is ±1, and 0 at x = t.

    >>> l1_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(1.)
    """
    return _reduced(functions.abs(_difference(input, target, reduction, "l1_loss")), reduction)


def _branched(d: Tensor, end: float, inside: Callable[[Tensor], Tensor], outside: Callable[[Tensor], Tensor]) -> Tensor:
    """The piecewise function `inside(d)` where |d| < end, else `outside(|d|)`."""
    size = functions.abs(d)
    far = size >= end
    # An infinite d, in the branch that is not taken, would make the gradient 0 · ∞.
    return functions.where(far, outside(size), inside(functions.where(far, 0.0, d)))


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """The Huber loss ½ d² where |d| < δ, else δ (|d| − ½ δ), with d = x − t; the derivative is d, or ±δ.

    Raises:
        ValueError: unless δ > 0.

    >>> huber_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]), reduction="none")
    tensor([0.0000, 1.5000])
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be above 0, not {delta}")
    d = _difference(input, target, reduction, "huber_loss")
    return _reduced(_branched(d, delta, lambda d: 0.5 * d * d, lambda size: delta * (size - 0.5 * delta)), reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """The smooth absolute error ½ d²/β where |d| < β, else |d| − ½ β, with d = x − t; the derivative is d/β, or ±1.

    Raises:
        ValueError: for a negative β.

    >>> smooth_l1_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0]), reduction="none")
    tensor([0.0000, 1.5000])
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must be 0 or more, not {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    d = _difference(input, target, reduction, "smooth_l1_loss")
    return _reduced(_branched(d, beta, lambda d: 0.5 * d * d / beta, lambda size: size - 0.5 * beta), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """−t log σ(x) − (1 − t) log(1 − σ(x)): the cross entropy of two classes, of which 1 has the log odds x.

    The derivative is σ(x) − t. Nothing overflows on the way.

    Args:
        input: x.
        target: t, 0 or 1 or a probability, of the same shape.
        weight: a factor for each element.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for the first of the two terms, for classes that are rare.

    Raises:
        ShapeError: where the shapes differ.

    >>> binary_cross_entropy_with_logits(tensor([0.0, 1000.0]), tensor([1.0, 1.0]), reduction="none")
    tensor([0.6931, 0.0000])
    """
    check_reduction(reduction)
    if checked(input, "BCEWithLogitsLoss").shape != checked(target, "BCEWithLogitsLoss").shape:
        raise ShapeError(
            f"BCEWithLogitsLoss needs a target like its input, but the input has shape {input.shape} "
            f"and the target {target.shape}"
        )
    surprise = functions.softplus(-input, 1.0, math.inf)  # −log σ(x); −log(1 − σ(x)) is that plus x
    if pos_weight is not None:
        surprise = ((pos_weight - 1) * target + 1) * surprise
    loss = (1 - target) * input + surprise
    return _reduced(loss if weight is None else loss * weight, reduction)


def _classes_last(input: Tensor, name: str) -> Tensor:
    """The dimension of classes moved to the end: (C), (N, C) or (N, C, …) as (…, C)."""
    if not checked(input, name).ndim:
        raise ShapeError(f"{name} needs an input of shape (C), (N, C) or (N, C, ...), not a 0-d tensor")
    if input.ndim < 3:
        return input
    return input.permute(0, *range(2, input.ndim), 1)


def _check_weight(weight: Tensor | None, classes: int, name: str) -> None:
    if weight is not None and weight.shape != (classes,):
        raise ShapeError(f"{name}: weight needs one number for each of the {classes} classes, not shape {weight.shape}")


def _check_classes(input: Tensor, target: Tensor, ignore_index: int, name: str) -> Any:
    """Check class indices; returns where `target` is not ignored, as a boolean array.

    Raises:
        DtypeError: for classes that are no integers.
        ShapeError: for another shape than the input's without its dimension of classes.
        IndexError: for a class that does not exist.
    """
    if getattr(target.dtype, "kind", "i") not in "iu":
        raise DtypeError(f"{name}: class indices are integers, and this target is {target.dtype}; use .to(int64)")
    classes = input.shape[min(1, input.ndim - 1)]
    wanted = input.shape[:-1] if input.ndim < 3 else (input.shape[0], *input.shape[2:])
    if target.shape != wanted:
        raise ShapeError(
            f"{name}: for an input of shape {input.shape}, class indices have shape {wanted}, "
            f"and these have {target.shape}"
        )
    try:
        given = np.asarray(arrays.on_cpu(target.array))
    except TypeError:  # inside jax.jit there are no numbers yet
        return target.array != ignore_index
    counts = given != ignore_index
    given = given[counts]
    if given.size and (given.min() < 0 or given.max() >= classes):
        wrong = given[(given < 0) | (given >= classes)][0]
        raise IndexError(
            f"{name}: class {wrong} does not exist: an input of shape {input.array.shape} "
            f"has the classes 0 to {classes - 1}"
        )
    return counts


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """The negative log likelihood −xᵢ at the right class i, for log probabilities x.

    A mean is weighted: Σ wᵢ lᵢ / Σ wᵢ.

    Args:
        input: x of shape (C), (N, C) or (N, C, …), for C classes.
        target: the classes, integers of shape (), (N) or (N, …).
        weight: a factor for each class.
        ignore_index: a class that does not count.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: where the shapes do not fit.
        IndexError: for a class that does not exist.

    >>> nll_loss(tensor([[-1.0, -2.0]]), tensor([1]))
    tensor(2.)
    """
    return _index_loss(input, target, weight, ignore_index, reduction, 0.0, "nll_loss")


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross entropy −Σᵢ tᵢ log softmax(x)ᵢ over the classes i, with t their probabilities, or 1 at the right class.

    The gradient is softmax(x) − t.

    Args:
        input: x of shape (C), (N, C) or (N, C, …), for C classes; any real numbers.
        target: the classes, integers of shape (), (N) or (N, …), or the probabilities, of the shape of x.
        weight: a factor for each class. A mean over class indices is a weighted one.
        ignore_index: a class that does not count.
        reduction: "mean", "sum" or "none".
        label_smoothing: ε, which turns t into (1 − ε) t + ε/C.

    Raises:
        ShapeError: where the shapes do not fit.
        IndexError: for a class that does not exist.
        ValueError: for an ε outside of 0 to 1.

    >>> cross_entropy(tensor([[0.0, 0.0]]), tensor([1]))
    tensor(0.6931)
    """
    name = "cross_entropy"
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{name}: label_smoothing must be from 0 to 1, not {label_smoothing}")
    check_reduction(reduction)
    checked(input, name), checked(target, name)
    if not input.ndim:
        raise ShapeError(f"{name} needs an input of shape (C), (N, C) or (N, C, ...), not a 0-d tensor")
    log_probabilities = functions.log_softmax(input, min(1, input.ndim - 1))
    if target.shape != input.shape or not arrays.is_floating(target.dtype):
        return _index_loss(log_probabilities, target, weight, ignore_index, reduction, label_smoothing, name)
    logs, t = _classes_last(log_probabilities, name), _classes_last(target, name)
    classes = logs.shape[-1]
    _check_weight(weight, classes, name)
    if label_smoothing:
        t = (1 - label_smoothing) * t + label_smoothing / classes
    loss = -(logs * t if weight is None else logs * t * weight).sum(-1)
    return loss.sum() / loss.numel() if reduction == "mean" else _reduced(loss, reduction)


def _index_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
    name: str,
) -> Tensor:
    """The loss Σᵢ −wᵢ tᵢ xᵢ for log probabilities x, where t is 1 − ε at the right class plus ε/C everywhere."""
    check_reduction(reduction)
    logs = _classes_last(input, name)
    counts = _check_classes(input, checked(target, name), ignore_index, name)
    classes = logs.shape[-1]
    _check_weight(weight, classes, name)
    xp = arrays.namespace(target.array)
    right = wrap(xp.where(xp.asarray(counts), target.array, 0), None)
    loss = -functions.take_along_dim(logs, right.unsqueeze(-1), -1).squeeze(-1)
    factors = None if weight is None else wrap(weight.array, None)[right]
    if factors is not None:
        loss = loss * factors
    if smoothing:
        everywhere = -(logs if weight is None else logs * weight).sum(-1)
        loss = (1 - smoothing) * loss + smoothing / classes * everywhere
    known = arrays.namespace(counts) is np
    if not (known and counts.all()):
        loss = functions.where(wrap(xp.asarray(counts), None), loss, 0.0)
    if reduction != "mean":
        return _reduced(loss, reduction)
    if factors is None and known:
        return loss.sum() / int(counts.sum())
    return loss.sum() / wrap(arrays.total(counts if factors is None else factors.array * xp.asarray(counts)), None)
