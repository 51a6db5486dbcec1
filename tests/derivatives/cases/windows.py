"""Cases of `derivatives/windows.py`: how a user reaches each row, and on which shapes."""

from __future__ import annotations

from typing import Any

from tinygrad_poly.derivatives import windows
from tinygrad_poly.engine.apply import apply_operation

from ..checks import Case
from .reductions import distinct


def _convolution(count: int, *shapes: Any, **options: Any) -> Case:
    label = ", ".join([f"conv{count}d", *(f"{name}={value}" for name, value in options.items())])
    # Products of three halves, so that second derivatives depend on all inputs.
    return Case(
        windows.convolution,
        label,
        lambda m, x, w, *b: getattr(m.nn.functional, f"conv{count}d")(x, w * w, *b, **options),
        shapes,
    )


def functional_module(m: Any) -> Any:
    """Where both libraries have layers as functions."""
    return m.nn.functional


def _pooling(row: Any, name: str, *shapes: Any, **options: Any) -> Case:
    label = ", ".join([name, *(f"{option}={value}" for option, value in options.items())])
    return Case(row, label, lambda m, x: getattr(m.nn.functional, name)(x * x * x, **options), shapes, draw=(distinct,))


SIGNAL, IMAGE = ((2, 2, 6),), ((2, 2, 5, 4),)

CASES: list[Case] = [
    _convolution(1, ((2, 2, 6), (4, 1, 2), (4,)), stride=2, padding=1, dilation=2, groups=2),
    _convolution(2, ((2, 2, 5, 4), (3, 2, 3, 2), (3,)), ((2, 5, 4), (1, 2, 1, 1)), ((1, 1, 2, 2), (1, 1, 2, 2))),
    _convolution(2, ((2, 4, 5, 6), (2, 2, 3, 2), (2,)), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
    _convolution(2, ((1, 2, 4, 5), (1, 2, 2, 3)), padding="same", dilation=(2, 1)),
    _convolution(1, ((2, 2, 6), (3, 2, 3)), ((2, 6), (3, 2, 3), (3,)), ((0, 2, 6), (3, 2, 3), (3,))),
    *(
        _pooling(windows.max_pool, name, given, ceil_mode=ceil, **options)
        for name, given in (("max_pool1d", SIGNAL), ("max_pool2d", IMAGE))
        for ceil in (False, True)
        for options in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1})
    ),
    _pooling(windows.max_pool, "max_pool2d", ((2, 5, 4),), kernel_size=(2, 1), stride=1, dilation=(2, 1)),
    *(
        _pooling(windows.windows, name, given, kernel_size=2, stride=stride)
        for name, given in (("avg_pool1d", SIGNAL), ("avg_pool2d", IMAGE))
        for stride in (None, 1)
    ),
    Case(
        windows.windows,
        "windows",
        lambda m, x: apply_operation(windows.windows, x * x, (2, 3), (1, 2), (2, 1)),
        [((2, 3, 5, 6),)],
        torch_call=lambda m, x: m.nn.functional.unfold(x * x, (2, 3), (2, 1), 0, (1, 2)).reshape(2, 3, 2, 3, 3, 2),
    ),
    Case(
        windows.fold,
        "fold",
        lambda m, x: apply_operation(windows.fold, x * x, (2, 1, 5, 6), (2, 3), (1, 2), (2, 1)),
        [((2, 1, 2, 3, 3, 2),)],
        torch_call=lambda m, x: m.nn.functional.fold((x * x).reshape(2, 6, 6), (5, 6), (2, 3), (2, 1), 0, (1, 2)),
    ),
]
