"""Convolution and pooling: what a kernel makes of the windows that it sees as it slides over a signal or an image.

Inputs have the shape (N, C, L) in one dimension and (N, C, H, W) in two, for N examples with C channels; N may be
absent. An option that is one number holds for all dimensions that the kernel slides over.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_poly.derivatives import windows
from tinygrad_poly.engine.apply import apply_operation, apply_unary, checked, wrap
from tinygrad_poly.engine.arrays import Shape, is_floating, namespace
from tinygrad_poly.engine.errors import DtypeError, ShapeError
from tinygrad_poly.functions import ordering, reductions
from tinygrad_poly.functions._shared import Tensor, described, per_dimension
from tinygrad_poly.functions.indexing import narrow
from tinygrad_poly.functions.joining import pad, stack
from tinygrad_poly.functions.shapes import reshape, unsqueeze

Function = Callable[..., Tensor]


def _of_images(function: Function, given: str, result: str) -> Function:
    """The function of images that is `function` of signals, with two dimensions to slide over."""

    @functools.wraps(function)
    def of_images(*inputs: Any, **options: Any) -> Tensor:
        return function(*inputs, **options, _count=2)

    of_signals = function.__name__
    text = f"`{of_signals}` in two dimensions: of images, of shape (N, C, H, W) or (C, H, W)."
    return described(of_images, f"{of_signals[:-2]}2d", text, given, result)


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


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    _count: int = 1,
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
    name = f"conv{_count}d"
    _check_dimensions(input, _count, name)
    if checked(weight, name).ndim != _count + 2:
        raise ShapeError(f"{name}: weight needs {_count + 2} dimensions, (F, C/groups, kernel), not {weight.shape}")
    if input.ndim == _count + 1:
        result = conv1d(unsqueeze(input, 0), weight, bias, stride, padding, dilation, groups, _count)
        return reshape(result, result.shape[1:])
    if groups < 1 or weight.shape[0] % groups or input.shape[1] != weight.shape[1] * groups:
        raise ShapeError(
            f"{name}: {input.shape[1]} channels and a weight of shape {weight.shape} do not fit groups={groups}: a "
            "weight has the shape (F, C/groups, kernel) for an input with C channels, and groups divides F and C"
        )
    if bias is not None and checked(bias, name).shape != weight.shape[:1]:
        raise ShapeError(f"{name}: bias needs shape {weight.shape[:1]}, one number for each filter, not {bias.shape}")
    kernel = weight.shape[2:]
    steps, apart = per_dimension(stride, _count, name, "stride"), per_dimension(dilation, _count, name, "dilation")
    if padding == "same":
        if max(steps) > 1:
            raise ShapeError(f"{name}: padding='same' needs stride 1, not {stride}, which leaves fewer results")
        edges = [(d * (k - 1) // 2, -(-d * (k - 1) // 2)) for k, d in zip(kernel, apart)]
    elif isinstance(padding, str) and padding != "valid":
        raise ShapeError(f"{name}: padding is 'same', 'valid' or numbers, not {padding!r}")
    else:
        edges = [(p, p) for p in per_dimension(0 if padding == "valid" else padding, _count, name, "padding", 0)]
    if any(map(any, edges)):
        input = pad(input, [p for edge in reversed(edges) for p in edge])
    _check_fit(input.shape, kernel, apart, name)
    return apply_operation(windows.convolution, input, weight, bias, steps, apart, groups)


conv2d: Function = _of_images(
    conv1d, "(zeros(5, 3, 8, 6), zeros(4, 3, 3, 3), padding=1, stride=(2, 1)).shape", "torch.Size([5, 4, 4, 6])"
)


def _laid_out(
    input: Tensor, size: Any, step: Any, edge: Any, dilation: Any, ceil_mode: bool, fill: float, count: int, name: str
) -> tuple[Tensor, tuple[Shape, Shape, Shape]]:
    """The input with its border, and kernel, stride and dilation.

    With `ceil_mode` there is one more position where elements are left at the end, unless it begins in the border.
    """
    _check_dimensions(input, count, name)
    kernel, apart = per_dimension(size, count, name, "kernel_size"), per_dimension(dilation, count, name, "dilation")
    stride = kernel if step is None or step == () else per_dimension(step, count, name, "stride")
    edges = per_dimension(edge, count, name, "padding", 0)
    borders: list[int] = []
    for n, k, s, p, d in zip(input.shape[-count:], kernel, stride, edges, apart):
        if 2 * p > d * (k - 1) + 1:
            raise ShapeError(f"{name}: padding is at most half of the kernel, {kernel}, and not {edges}")
        left = n + 2 * p - d * (k - 1) - 1
        borders = [p, p + (-left % s if ceil_mode and left + -left % s < n + p else 0), *borders]
    padded = pad(input, borders, value=fill) if any(borders) else input
    _check_fit(padded.shape, kernel, apart, name)
    return padded, (kernel, stride, apart)


def _check_no_indices(return_indices: bool, name: str) -> None:
    if return_indices:
        raise DtypeError(f"{name}: return_indices is not there; the gradient shows where the largest elements are")


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    _count: int = 1,
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
    name = f"max_pool{_count}d"
    _check_no_indices(return_indices, name)
    dtype = checked(input, name).array.dtype
    least = -np.inf if is_floating(dtype) else np.iinfo(dtype).min
    padded, slide = _laid_out(input, kernel_size, stride, padding, dilation, ceil_mode, least, _count, name)
    return apply_unary(windows.max_pool, padded, *slide)


max_pool2d: Function = _of_images(max_pool1d, "(tensor([[[1.0, 3.0], [2.0, 0.0]]]), 2)", "tensor([[[3.]]])")


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    _count: int = 1,
) -> Tensor:
    """The mean of each window.

    Args:
        input: x of shape (N, C, L) or (C, L).
        kernel_size: how many elements a window has.
        stride: the steps in which the window slides; its own size by default.
        padding: how many zeros are before and after each signal.
        ceil_mode: whether elements left at the end get a window, which is shorter.
        count_include_pad: whether these zeros count in the mean.
        divisor_override: what the sum of a window is divided by, instead of how many elements it has.

    Raises:
        ShapeError: where shapes or options do not fit.

    >>> avg_pool1d(tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    name = f"avg_pool{_count}d"
    if divisor_override == 0:
        raise ShapeError(f"{name}: divisor_override is another number than 0, or None")
    padded, slide = _laid_out(input, kernel_size, stride, padding, 1, ceil_mode, 0.0, _count, name)
    total = reductions.sum(apply_unary(windows.windows, padded, *slide), tuple(range(-2 * _count, -_count)))
    counts, edges = np.ones(()), per_dimension(padding, _count, name, "padding", 0)
    for n, k, s, p, m in zip(input.shape[-_count:], *slide[:2], edges, total.shape[-_count:]):
        starts, border = np.arange(m) * s - p, p if count_include_pad else 0
        counts = counts[..., None] * (np.minimum(starts + k, n + border) - np.maximum(starts, -border))
    if divisor_override or np.all(counts == counts.flat[0]):
        return total / (divisor_override or float(counts.flat[0]))
    return total / wrap(namespace(total.array).asarray(counts, dtype=total.dtype), None)


avg_pool2d: Function = _of_images(avg_pool1d, "(tensor([[[1.0, 3.0], [2.0, 0.0]]]), 2)", "tensor([[[1.5000]]])")


def _adapted(input: Tensor, size: Any, reduce: Callable[..., Any], count: int, name: str) -> Tensor:
    """Means or maxima of so many parts of each dimension, which overlap where they cannot be equal."""
    _check_dimensions(input, count, name)
    own = input.shape[-count:]
    given = size if isinstance(size, (tuple, list)) else (size,) * count
    given = [own[i % count] if m is None else m for i, m in enumerate(given)]
    sizes = per_dimension(given, count, name, "output_size")
    for dim, m, n in zip(range(-1, -count - 1, -1), sizes[::-1], own[::-1]):
        if not n:
            raise ShapeError(f"{name}: there are no elements along dimension {dim} of shape {input.shape}")
        parts = [narrow(input, dim, i * n // m, -(-(i + 1) * n // m) - i * n // m) for i in range(m)]
        input = stack([reduce(part, dim) for part in parts], dim)
    return input


def adaptive_avg_pool1d(input: Tensor, output_size: Any, _count: int = 1) -> Tensor:
    """The means of `output_size` parts of each signal, of lengths that differ by at most two.

    Part i of m begins at ⌊i n/m⌋ and ends before ⌈(i + 1) n/m⌉, for signals of length n. In two dimensions, None keeps
    a dimension as it is.

    Raises:
        ShapeError: for a size below 1.

    >>> adaptive_avg_pool1d(tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    return _adapted(input, output_size, reductions.mean, _count, f"adaptive_avg_pool{_count}d")


adaptive_avg_pool2d: Function = _of_images(
    adaptive_avg_pool1d, "(zeros(5, 3, 9, 6), (2, None)).shape", "torch.Size([5, 3, 2, 6])"
)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False, _count: int = 1) -> Tensor:
    """The largest elements of the parts that `adaptive_avg_pool1d` takes the means of.

    Raises:
        ShapeError: for a size below 1.
        DtypeError: for `return_indices`, which is not supported.

    >>> adaptive_max_pool1d(tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    name = f"adaptive_max_pool{_count}d"
    _check_no_indices(return_indices, name)
    return _adapted(input, output_size, lambda part, dim: ordering.max(part, dim)[0], _count, name)


adaptive_max_pool2d: Function = _of_images(
    adaptive_max_pool1d, "(zeros(5, 3, 9, 6), 2).shape", "torch.Size([5, 3, 2, 2])"
)
