"""Convolution and pooling: what a kernel makes of the windows that it sees as it slides over a signal or an image.

Inputs have the shape (N, C, L) in one dimension and (N, C, H, W) in two, for N examples with C channels; N may be
absent. An option that is one number holds for all dimensions that the kernel slides over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_poly.derivatives import windows
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked, wrap
from tinygrad_poly.engine.arrays import Shape, namespace
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions import ordering, reductions
from tinygrad_poly.functions._shared import lengths
from tinygrad_poly.functions.joining import pad, stack
from tinygrad_poly.functions.shapes import reshape, unsqueeze

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor


def _per_dimension(value: Any, count: int, name: str, role: str, least: int = 1) -> Shape:
    """An option as one number for each of `count` dimensions.

    Raises:
        ShapeError: for another number of numbers, or one below `least`.
    """
    given = lengths((value if isinstance(value, (tuple, list)) else (value,),))
    numbers = given * count if len(given) == 1 else given
    if len(numbers) != count or min(numbers) < least:
        raise ShapeError(f"{name}: {role} is one number of {least} or more, or {count} of them, not {value}")
    return numbers


def _check_dimensions(input: Tensor, count: int, name: str) -> None:
    if checked(input, name).ndim not in (count + 1, count + 2):
        raise ShapeError(
            f"{name}: expected an input of shape {('(N, C, L)', '(N, C, H, W)')[count - 1]}, with or without N, but "
            f"got {input.shape}; add a dimension of length 1, with unsqueeze, where one is missing"
        )


def _check_fit(shape: Shape, kernel: Shape, dilation: Shape, name: str) -> None:
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation))
    if any(n < r for n, r in zip(shape[len(shape) - len(kernel) :], reach)):
        raise ShapeError(
            f"{name}: the kernel reaches over {reach} elements, dilation included, and does not fit into an input of "
            f"shape {shape}, padding included: take a smaller kernel, or more padding"
        )


def _convolved(
    input: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int, count: int
) -> Tensor:
    name = f"conv{count}d"
    _check_dimensions(input, count, name)
    if checked(weight, name).ndim != count + 2:
        raise ShapeError(
            f"{name}: weight needs {count + 2} dimensions, (F, C/groups, kernel), not shape {weight.shape}"
        )
    if input.ndim == count + 1:
        result = _convolved(unsqueeze(input, 0), weight, bias, stride, padding, dilation, groups, count)
        return reshape(result, result.shape[1:])
    if groups < 1 or weight.shape[0] % groups or input.shape[1] != weight.shape[1] * groups:
        raise ShapeError(
            f"{name}: {input.shape[1]} channels and a weight of shape {weight.shape} do not fit groups={groups}: a "
            "weight has the shape (F, C/groups, kernel) for an input with C channels, and groups divides F and C"
        )
    if bias is not None and checked(bias, name).shape != weight.shape[:1]:
        raise ShapeError(f"{name}: bias needs shape {weight.shape[:1]}, one number for each filter, not {bias.shape}")
    kernel = weight.shape[2:]
    steps, apart = (_per_dimension(v, count, name, r) for v, r in ((stride, "stride"), (dilation, "dilation")))
    if padding == "same" and max(steps) > 1:
        raise ShapeError(f"{name}: padding='same' needs stride 1, not {stride}: there are fewer results than elements")
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ShapeError(f"{name}: padding is 'same', 'valid' or numbers, not {padding!r}")
        borders = [divmod(d * (k - 1) * (padding == "same"), 2) for k, d in zip(kernel, apart)]
        edges = [(half, half + odd) for half, odd in borders]
    else:
        edges = [(p, p) for p in _per_dimension(padding, count, name, "padding", 0)]
    if any(map(any, edges)):
        input = pad(input, [p for edge in reversed(edges) for p in edge])
    _check_fit(input.shape, kernel, apart, name)
    return apply_operation(windows.convolution, input, weight, bias, steps, apart, groups)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The convolution y[f, p] = Σ w[f, c, k] x[c, s p + d k] + b[f] of signals, of shape (N, F, positions).

    Args:
        input: x of shape (N, C, L) or (C, L).
        weight: w of shape (F, C/groups, K), for F filters.
        bias: b of shape (F,).
        stride: s, the steps in which the kernel slides.
        padding: zeros before and after each signal; "same" for a result as long as the input, "valid" for none.
        dilation: d, how far apart the places of the kernel are.
        groups: how many parts the channels are divided into, each with its share of the filters.

    Raises:
        ShapeError: where shapes or options do not fit.

    >>> conv1d(tensor([[1.0, 2.0, 4.0]]), tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])
    """
    return _convolved(input, weight, bias, stride, padding, dilation, groups, 1)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The convolution of images: `conv1d` in two dimensions, with x of shape (N, C, H, W) or (C, H, W).

    >>> conv2d(zeros(5, 3, 8, 6), zeros(4, 3, 3, 3), padding=1, stride=(2, 1)).shape
    (5, 4, 4, 6)
    """
    return _convolved(input, weight, bias, stride, padding, dilation, groups, 2)


Options = tuple[Any, Any, Any, Any, bool]
"""Kernel size, stride, padding, dilation and `ceil_mode`."""


def _laid_out(input: Tensor, options: Options, fill: float, count: int, name: str) -> tuple[Tensor, Any]:
    """The input with its border, and kernel, stride and dilation.

    With `ceil_mode` there is one more position where elements are left at the end, unless it begins in the border.
    """
    size, step, padding, dilation, ceil_mode = options
    _check_dimensions(input, count, name)
    kernel, apart = _per_dimension(size, count, name, "kernel_size"), _per_dimension(dilation, count, name, "dilation")
    stride = kernel if step is None or step == () else _per_dimension(step, count, name, "stride")
    edges = _per_dimension(padding, count, name, "padding", 0)
    if any(2 * p > d * (k - 1) + 1 for p, k, d in zip(edges, kernel, apart)):
        raise ShapeError(
            f"{name}: padding is at most half of the kernel {kernel}, not {edges}: more would be windows of it"
        )
    borders = []
    for n, k, s, p, d in zip(input.shape[input.ndim - count :], kernel, stride, edges, apart):
        left = n + 2 * p - d * (k - 1) - 1
        more = -left % s if ceil_mode and left + -left % s < n + p else 0
        borders = [p, p + more, *borders]
    padded = pad(input, borders, value=fill) if any(borders) else input
    _check_fit(padded.shape, kernel, apart, name)
    return padded, (kernel, stride, apart)


def _check_no_indices(return_indices: bool, name: str) -> None:
    if return_indices:
        raise DtypeError(f"{name}: return_indices is not there; the gradient shows where the largest elements are")


def _max_pooled(input: Tensor, options: Options, return_indices: bool, count: int) -> Tensor:
    name = f"max_pool{count}d"
    _check_no_indices(return_indices, name)
    padded, slide = _laid_out(input, options, -np.inf, count, name)
    return apply_unary(windows.max_pool, padded, *slide)


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """The largest element in each window; its derivative is 1 for the first that is the largest.

    Args:
        input: x of shape (N, C, L) or (C, L).
        kernel_size: how many elements a window has.
        stride: the steps in which the window slides; its own size by default.
        padding: how many elements of −∞ are before and after each signal.
        dilation: how far apart the elements of a window are.
        ceil_mode: whether elements left at the end get a window, which is shorter.
        return_indices: not supported.

    Raises:
        ShapeError: where shapes or options do not fit.

    >>> max_pool1d(tensor([[1.0, 3.0, 2.0, 0.0, 5.0]]), 2, ceil_mode=True)
    tensor([[3., 2., 5.]])
    """
    return _max_pooled(input, (kernel_size, stride, padding, dilation, ceil_mode), return_indices, 1)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """The largest element in each window of images: `max_pool1d` in two dimensions.

    >>> max_pool2d(tensor([[[1.0, 3.0], [2.0, 0.0]]]), 2)
    tensor([[[3.]]])
    """
    return _max_pooled(input, (kernel_size, stride, padding, dilation, ceil_mode), return_indices, 2)


def _avg_pooled(input: Tensor, options: Options, include_pad: bool, divisor: int | None, count: int) -> Tensor:
    name = f"avg_pool{count}d"
    if divisor is not None and not divisor:
        raise ShapeError(f"{name}: divisor_override is another number than 0, or None")
    padded, (kernel, stride, apart) = _laid_out(input, options, 0.0, count, name)
    seen = apply_unary(windows.windows, padded, kernel, stride, apart)
    total = reductions.sum(seen, tuple(range(-2 * count, -count)))
    counts = np.ones(())
    edges = _per_dimension(options[2], count, name, "padding", 0)
    for n, k, s, p, m in zip(input.shape[input.ndim - count :], kernel, stride, edges, total.shape[-count:]):
        starts, border = np.arange(m) * s - p, p if include_pad else 0
        inside = np.minimum(starts + k, n + border) - np.maximum(starts, -border)
        counts = counts[..., None] * inside
    if divisor is not None or np.all(counts == counts.flat[0]):
        return total / (divisor or float(counts.flat[0]))
    return total / wrap(namespace(total.array).asarray(counts, dtype=total.dtype), None)


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window.

    Args:
        input: x of shape (N, C, L) or (C, L).
        kernel_size: how many elements a window has.
        stride: the steps in which the window slides; its own size by default.
        padding: how many zeros are before and after each signal.
        ceil_mode: whether elements left at the end get a window, which is shorter.
        count_include_pad: whether these zeros count in the mean.

    Raises:
        ShapeError: where shapes or options do not fit.

    >>> avg_pool1d(tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    return _avg_pooled(input, (kernel_size, stride, padding, 1, ceil_mode), count_include_pad, None, 1)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of images: `avg_pool1d` in two dimensions.

    With `divisor_override`, it is the sum divided by that.

    >>> avg_pool2d(tensor([[[1.0, 3.0], [2.0, 0.0]]]), 2)
    tensor([[[1.5000]]])
    """
    return _avg_pooled(input, (kernel_size, stride, padding, 1, ceil_mode), count_include_pad, divisor_override, 2)


def _adapted(input: Tensor, size: Any, reduce: Callable[..., Tensor], count: int, name: str) -> Tensor:
    """Means or maxima of so many parts of each dimension, which overlap where they cannot be equal."""
    _check_dimensions(input, count, name)
    given = size if isinstance(size, (tuple, list)) else (size,) * count
    own = input.shape[input.ndim - count :]
    if len(given) == count:
        given = tuple(n if m is None else m for m, n in zip(given, own))
    sizes = _per_dimension(given, count, name, "output_size")
    for dim, m, n in zip(range(-1, -count - 1, -1), sizes[::-1], own[::-1]):
        if not n:
            raise ShapeError(f"{name}: there are no elements along dimension {dim} of shape {input.shape}")
        ends = [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
        parts = [input[(Ellipsis, slice(*ends_), *(slice(None),) * (-1 - dim))] for ends_ in ends]
        input = stack([reduce(part, dim) for part in parts], dim)
    return input


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The means of `output_size` parts of each signal, of lengths that differ by at most one.

    Part i of m begins at ⌊i n/m⌋ and ends before ⌈(i + 1) n/m⌉, for signals of length n.

    Raises:
        ShapeError: for a size below 1.

    >>> adaptive_avg_pool1d(tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    return _adapted(input, output_size, reductions.mean, 1, "adaptive_avg_pool1d")


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The means of parts of images: `adaptive_avg_pool1d` in two dimensions; None keeps a dimension as it is.

    >>> adaptive_avg_pool2d(zeros(5, 3, 9, 6), (2, None)).shape
    (5, 3, 2, 6)
    """
    return _adapted(input, output_size, reductions.mean, 2, "adaptive_avg_pool2d")


def _first_largest(input: Tensor, dim: int) -> Tensor:
    largest: Tensor = ordering.max(input, dim)[0]
    return largest


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Tensor:
    """The largest elements of the parts that `adaptive_avg_pool1d` takes the means of.

    Raises:
        ShapeError: for a size below 1.
        DtypeError: for `return_indices`, which is not supported.

    >>> adaptive_max_pool1d(tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    _check_no_indices(return_indices, "adaptive_max_pool1d")
    return _adapted(input, output_size, _first_largest, 1, "adaptive_max_pool1d")


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Tensor:
    """The largest elements of parts of images: `adaptive_max_pool1d` in two dimensions.

    >>> adaptive_max_pool2d(zeros(5, 3, 9, 6), 2).shape
    (5, 3, 2, 2)
    """
    _check_no_indices(return_indices, "adaptive_max_pool2d")
    return _adapted(input, output_size, _first_largest, 2, "adaptive_max_pool2d")
