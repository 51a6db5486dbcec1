"""Loss functions: how far a model's output is from its target."""

import copy
import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly import functions
from tinygrad_poly.derivatives import losses
from tinygrad_poly.engine import arrays
from tinygrad_poly.engine.apply import apply_operation, checked, wrap
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.engine.operation import Operation
from tinygrad_poly.tensor import Tensor

REDUCTIONS = ("mean", "sum", "none")


def old_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that torch's old arguments ask for, or `reduction` if they ask for nothing.

    Raises:
        DtypeError: for old arguments that are not True, False or None.
    """
    if size_average is None is reduce:
        return reduction
    for name, value in (("size_average", size_average), ("reduce", reduce)):
        if value not in (None, True, False):
            raise DtypeError(f"{name}, an old argument, is True, False or None, not {value!r}: name the reduction=")
    reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce are old arguments: write reduction={reduction!r}", stacklevel=4)
    return reduction


def _with_old_arguments(first: str = "reduction") -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """A decorator that adds torch's old arguments: `size_average` before the argument `first`, then `reduce`."""

    def decorated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        said, kind = inspect.signature(function), inspect.Parameter.POSITIONAL_OR_KEYWORD
        names, order = list(said.parameters), list(said.parameters.values())
        before = names.index(first)
        for place, old in ((names.index("reduction"), "reduce"), (before, "size_average")):
            order.insert(place, inspect.Parameter(old, kind, default=None))
        full = said.replace(parameters=order)

        @functools.wraps(function)
        def call(*inputs: Any, **named: Any) -> Tensor:
            if len(inputs) > before or "size_average" in named or "reduce" in named:
                named, inputs = full.bind(*inputs, **named).arguments, ()
                asked = named.pop("size_average", None), named.pop("reduce", None)
                named["reduction"] = old_reduction(*asked, named.get("reduction", "mean"))
            return function(*inputs, **named)

        call.__signature__ = full  # type: ignore[attr-defined]
        return call

    return decorated


@functools.lru_cache(64)
def _called(operation: Operation, name: str) -> Operation:
    row = copy.copy(operation)
    row.named = f"{name}Backward0"
    return row


def _named(name: str, loss: Tensor) -> Tensor:
    """The loss, its last node called by torch's name of the one operation that computes all of it there."""
    if loss.node is not None:
        loss.node.operation = _called(loss.node.operation, name)
    return loss


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    check_reduction(reduction)
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
            stacklevel=4,
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


@_with_old_arguments()
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


@_with_old_arguments()
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
    loss = _branched(d, delta, lambda d: 0.5 * d * d, lambda size: delta * (size - 0.5 * delta))
    return _named("HuberLoss", _reduced(loss, reduction))


@_with_old_arguments()
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
        return l1_loss(input, target, reduction=reduction)
    d = _difference(input, target, reduction, "smooth_l1_loss")
    loss = _branched(d, beta, lambda d: 0.5 * d * d / beta, lambda size: size - 0.5 * beta)
    return _named("SmoothL1Loss", _reduced(loss, reduction))


@_with_old_arguments()
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
    _check_alike(input, target, "BCEWithLogitsLoss")
    if pos_weight is None:
        loss = apply_operation(losses.binary_cross_entropy_with_logits, input, target)
    else:
        surprise = functions.softplus(-input, 1.0, math.inf)  # −log σ(x); −log(1 − σ(x)) is that plus x
        loss = (1 - target) * input + ((pos_weight - 1) * target + 1) * surprise
    loss = _reduced(loss if weight is None else loss * weight, reduction)
    return _named("BinaryCrossEntropyWithLogits", loss)


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


def _check_classes(input: Tensor, target: Tensor, ignore_index: int, name: str) -> Tensor:
    """Check class indices; returns where `target` is not ignored.

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
    counts = wrap(target.array != ignore_index, None)
    try:
        given = np.asarray(arrays.on_cpu(target.array))
    except TypeError:  # inside jax.jit there are no numbers yet
        return counts
    for wrong in given[((given < 0) | (given >= classes)) & (given != ignore_index)]:
        raise IndexError(
            f"{name}: class {wrong} does not exist: an input of shape {input.array.shape} "
            f"has the classes 0 to {classes - 1}"
        )
    return counts


@_with_old_arguments("ignore_index")
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
    return _named("NllLoss", _index_loss(input, target, weight, ignore_index, reduction, 0.0, "nll_loss"))


@_with_old_arguments("ignore_index")
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
        loss = _index_loss(log_probabilities, target, weight, ignore_index, reduction, label_smoothing, name)
        return loss if label_smoothing else _named("NllLoss", loss)
    logs, t = _classes_last(log_probabilities, name), _classes_last(target, name)
    classes = logs.shape[-1]
    _check_weight(weight, classes, name)
    if label_smoothing:
        t = (1 - label_smoothing) * t + label_smoothing / classes
    loss = -(logs * t if weight is None else logs * t * weight).sum(-1)
    return loss.sum() / loss.numel() if reduction == "mean" else _reduced(loss, reduction)


def _index_loss(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float, name: str
) -> Tensor:
    """The loss Σᵢ −wᵢ tᵢ xᵢ for log probabilities x, where t is 1 − ε at the right class plus ε/C everywhere."""
    check_reduction(reduction)
    logs = _classes_last(input, name)
    counts = _check_classes(input, checked(target, name), ignore_index, name)
    classes, all_count = logs.shape[-1], arrays.surely(counts.array)
    _check_weight(weight, classes, name)
    right = wrap(target.array, None) if all_count else functions.where(counts, wrap(target.array, None), 0)
    loss = -functions.take_along_dim(logs, right.unsqueeze(-1), -1).squeeze(-1)
    factors = None if weight is None else wrap(weight.array, None)[right]
    if factors is not None:
        loss = loss * factors
    if smoothing:
        everywhere = -(logs if weight is None else logs * weight).sum(-1)
        loss = (1 - smoothing) * loss + smoothing / classes * everywhere
    if not all_count:
        loss = functions.where(counts, loss, 0.0)
    if reduction != "mean" or (factors is None and all_count):
        return _reduced(loss, reduction)
    return loss.sum() / (counts if factors is None else factors * counts).sum()


def _check_alike(input: Tensor, target: Tensor, name: str) -> None:
    if checked(input, name).shape != checked(target, name).shape:
        raise ShapeError(
            f"{name} needs a target like its input, but the input has shape {input.shape} and the target {target.shape}"
        )


def _somewhere(condition: Tensor) -> bool:
    """Whether the condition holds anywhere; no, in a trace, where there are no numbers yet, and on a GPU."""
    return arrays.namespace(condition.array) is np and bool(condition.array.any())


@_with_old_arguments()
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """−t log x − (1 − t) log(1 − x): the cross entropy of two classes, of which 1 has the probability x.

    The logarithms are at least −100, and the derivative (x − t)/(x (1 − x)) is divided by at least 10⁻¹².

    Raises:
        ShapeError: where the shapes differ.
        ValueError: for an x that is no probability.

    >>> binary_cross_entropy(tensor([0.5, 0.0]), tensor([1.0, 1.0]), reduction="none")
    tensor([  0.6931, 100.0000])
    """
    name = "binary_cross_entropy"
    _check_alike(input, target, name)
    x = input.detach()
    if _somewhere(((x >= 0) & (x <= 1)).logical_not()):
        raise ValueError(f"{name} needs probabilities from 0 to 1; of other numbers take sigmoid, or with_logits")
    loss = apply_operation(losses.binary_cross_entropy, input, target)
    return _named("BinaryCrossEntropy", _reduced(loss if weight is None else loss * weight, reduction))


@_with_old_arguments()
def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """T (log t − x): how far probabilities t are from those with the logarithms x; "batchmean" is the sum over n rows.

    With `log_target`, the target is log t.

    >>> kl_div(tensor([[-1.0, -1.0]]), tensor([[0.0, 1.0]]), reduction="batchmean")
    tensor(1.)
    """
    checked(input, "kl_div"), checked(target, "kl_div")
    if reduction not in ("batchmean", *REDUCTIONS):
        raise ValueError(f"kl_div: reduction must be 'batchmean', 'mean', 'sum' or 'none', not {reduction!r}")
    if reduction == "mean":
        warnings.warn("kl_div: the mean over elements is no divergence; write reduction='batchmean'", stacklevel=3)
    if log_target:
        loss = functions.exp(target) * (target - input)
    else:
        is_none = target == 0  # t log t is 0 there
        loss = target * functions.log(functions.where(is_none, 1.0, target)) - target * input
    return loss.sum() / input.shape[0] if reduction == "batchmean" else _reduced(loss, reduction)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine Σ ab/(|a| |b|) of the angle between a and b along `dim`; the lengths count as `eps` at least.

    >>> cosine_similarity(tensor([[1.0, 1.0]]), tensor([[2.0, 0.0]]))
    tensor([0.7071])
    """
    checked(x1, "cosine_similarity"), checked(x2, "cosine_similarity")
    a, b = (x / _straight_through(functions.norm(x, 2.0, dim, keepdim=True), eps) for x in (x1, x2))
    return (a * b).sum(dim)


def _straight_through(x: Tensor, least: float) -> Tensor:
    """At least `least`, with derivative 1 everywhere."""
    short = x.detach() < least
    return functions.where(short, x + (least - x.detach()), x)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The distance (Σ |a − b + eps|ᵖ)^(1/p) over the last dimension.

    >>> pairwise_distance(tensor([[1.0, 1.0]]), tensor([[4.0, 5.0]]))
    tensor([5.0000])
    """
    checked(x1, "pairwise_distance"), checked(x2, "pairwise_distance")
    return functions.norm(x1 - x2 + eps, p, -1, keepdim=keepdim)


@_with_old_arguments()
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 − cos where t = 1, max(cos − margin, 0) where t = −1, for rows that should be alike or not.

    >>> cosine_embedding_loss(tensor([[1.0, 0.0]]), tensor([[0.0, 2.0]]), tensor([1]))
    tensor(1.)
    """
    name = "cosine_embedding_loss"
    if checked(target, name).ndim > 1 or not input1.ndim == input2.ndim == target.ndim + 1:
        raise ShapeError(f"{name} takes rows, and 1 or -1 for each, not {input1.shape}, {input2.shape}, {target.shape}")
    square1, square2 = ((x * x).sum(-1) + 1e-12 for x in (input1, input2))
    cosine = (input1 * input2).sum(-1) / functions.sqrt(square1 * square2)
    unlike = functions.clamp(cosine - margin, min=0)
    loss = functions.where(target == 1, 1 - cosine, functions.where(target == -1, unlike, 0.0))
    return _reduced(loss, reduction)


@_with_old_arguments()
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """X where t = 1, max(margin − x, 0) where t = −1, for distances x of pairs that are alike or not.

    >>> hinge_embedding_loss(tensor([0.5, 0.5]), tensor([1, -1]), reduction="none")
    tensor([0.5000, 0.5000])
    """
    checked(target, "hinge_embedding_loss")
    unlike = functions.clamp(margin - checked(input, "hinge_embedding_loss"), min=0)
    # As in torch, what is neither 1 nor −1 gets both.
    loss = functions.where(target != 1, unlike, 0.0) + functions.where(target != -1, input, 0.0)
    return _reduced(loss, reduction)


@_with_old_arguments()
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """max(margin − t (a − b), 0): a should be larger than b where t = 1, smaller where t = −1.

    >>> margin_ranking_loss(tensor([1.0]), tensor([3.0]), tensor([1]))
    tensor(2.)
    """
    dims = [checked(x, "margin_ranking_loss").ndim for x in (input1, input2, target)]
    if len(set(dims)) > 1:
        raise ShapeError(f"margin_ranking_loss needs tensors with one number of dimensions, not {dims}")
    return _reduced(functions.clamp(margin - target * (input1 - input2), min=0), reduction)


@_with_old_arguments()
def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """log(1 + e^(−t x)), for t of 1 and −1; nothing overflows on the way.

    >>> soft_margin_loss(tensor([0.0]), tensor([1.0]))
    tensor(0.6931)
    """
    _check_alike(input, target, "soft_margin_loss")
    return _reduced(functions.softplus(-target * input, 1.0, math.inf), reduction)


@_with_old_arguments()
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σⱼ max(margin − xᵢ + xⱼ, 0)ᵖ/C over the other classes j than the right class i, for C classes.

    Raises:
        ValueError: for p other than 1 and 2.
        IndexError: for a class that does not exist.

    >>> multi_margin_loss(tensor([[1.0, 0.5, 0.0]]), tensor([0]))
    tensor(0.1667)
    """
    name = "multi_margin_loss"
    if p not in (1, 2):
        raise ValueError(f"{name}: p must be 1 or 2, not {p}")
    if checked(input, name).ndim not in (1, 2):
        raise ShapeError(f"{name} needs an input of shape (C) or (N, C), not {input.shape}")
    classes = input.shape[-1]
    _check_classes(input, checked(target, name), -1 - classes, name)
    _check_weight(weight, classes, name)
    right = wrap(target.array, None).unsqueeze(-1)
    loss = functions.relu(margin - functions.take_along_dim(input, right, -1) + input) ** p
    if weight is not None:
        loss = loss * wrap(weight.array, None)[right]
    others = wrap(arrays.namespace(right.array).arange(classes), None) != right
    return _reduced(functions.where(others, loss, 0.0).sum(-1) / classes, reduction)


@_with_old_arguments()
def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean over classes of −t log σ(x) − (1 − t) log σ(−x): each class may be there or not.

    >>> multilabel_soft_margin_loss(tensor([[0.0, 0.0]]), tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    loss = binary_cross_entropy_with_logits(input, target, weight, reduction="none")
    return _reduced(loss.mean(-1), reduction)


@_with_old_arguments()
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(d(a, positive) − d(a, negative) + margin, 0), with d the `pairwise_distance`; see below for `swap`.

    With `swap`, d(positive, negative) counts instead where it is less than d(a, negative).

    Raises:
        ValueError: for a margin of 0 or less.

    >>> triplet_margin_loss(tensor([[0.0]]), tensor([[1.0]]), tensor([[1.0]]))
    tensor(1.)
    """
    if not margin > 0:
        raise ValueError(f"triplet_margin_loss: margin must be above 0, not {margin}")
    near, far = (pairwise_distance(anchor, other, p, eps) for other in (positive, negative))
    if swap:
        far = functions.minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduced(functions.clamp(margin + near - far, min=0), reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """½ (log v + (x − t)²/v), for t that is normal with mean x and variance v; v counts as `eps` at least.

    With `full`, ½ log 2π is added. The variance has the shape of x, or 1 or nothing in place of its last dimension.

    Raises:
        ShapeError: for a variance of another shape.
        ValueError: for a negative one.

    >>> gaussian_nll_loss(tensor([1.0]), tensor([3.0]), tensor([1.0]))
    tensor(2.)
    """
    name = "gaussian_nll_loss"
    shape = checked(input, name).shape
    v = var if isinstance(var, Tensor) else wrap(arrays.namespace(input.array).full_like(input.array, var), None)
    if v.shape != shape and v.shape == shape[:-1]:
        v = v.unsqueeze(-1)
    elif v.shape != shape and (v.ndim != len(shape) or v.shape != (*shape[:-1], 1)):
        raise ShapeError(f"{name}: a variance of shape {v.shape} does not fit an input of shape {shape}")
    if _somewhere(v.detach() < 0):
        raise ValueError(f"{name}: a variance is 0 or more, and one of these is negative")
    v = _straight_through(v, eps)
    loss = 0.5 * (functions.log(v) + (input - checked(target, name)) ** 2 / v)
    return _reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


@_with_old_arguments("eps")
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """eˣ − t x, for counts t with the mean eˣ; or x − t log(x + eps) for the mean x, if not `log_input`.

    With `full`, Stirling's t log t − t + ½ log 2πt is added where t > 1.

    >>> poisson_nll_loss(tensor([0.0]), tensor([2.0]))
    tensor(1.)
    """
    checked(target, "poisson_nll_loss")
    if log_input:
        loss = functions.exp(checked(input, "poisson_nll_loss")) - target * input
    else:
        loss = input - target * functions.log(input + eps)
    if full:
        t = functions.where(target > 1, target, 1.0)
        stirling = t * functions.log(t) - t + 0.5 * functions.log(2 * math.pi * t)
        loss = loss + functions.where(target > 1, stirling, 0.0)
    return _reduced(loss, reduction)
