"""Comparisons for tests, as in `torch.testing`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.creation import as_tensor
from tinygrad_poly.engine.arrays import on_cpu
from tinygrad_poly.tensor import Tensor

_TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    msg: str | None = None,
) -> None:
    """Raise an error unless |a − b| ≤ atol + rtol · |b| for all elements, of tensors or of containers.

    The tolerances are torch's: 1.3e-6 and 1e-5 for float32, 1e-7 and 1e-7 for float64, none for whole numbers.

    Raises:
        AssertionError: which says how many elements differ and by how much, or that shape, dtype or device do.
        ValueError: where one of the two tolerances is given alone.

    >>> assert_close(tensor([1.0, 2.0]), tensor([1.0, 2.000001]))
    """
    options: dict[str, Any] = {"rtol": rtol, "atol": atol, "equal_nan": equal_nan, "check_device": check_device}
    options |= {"check_dtype": check_dtype, "msg": msg}
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close() needs both rtol and atol, or none of them")
    for kind in (Mapping, Sequence):
        if isinstance(actual, kind) and isinstance(expected, kind) and not isinstance(actual, str):
            keys = sorted(actual, key=str) if kind is Mapping else range(len(actual))
            others = sorted(expected, key=str) if kind is Mapping else range(len(expected))
            if list(keys) != list(others):
                raise AssertionError(msg or f"the containers differ: {list(keys)} and {list(others)}")
            for key in keys:
                assert_close(actual[key], expected[key], **options)
            return
    a, b = as_tensor(actual), as_tensor(expected)
    if not (isinstance(actual, Tensor) or isinstance(expected, Tensor)):
        a, b = (x.double() if x.is_floating_point() else x for x in (a, b))
    for name, checked in (("shape", True), ("device", check_device), ("dtype", check_dtype)):
        if checked and getattr(a, name) != getattr(b, name):
            raise AssertionError(msg or f"the {name}s differ: {getattr(a, name)} and {getattr(b, name)}")
    found = [_TOLERANCES.get(str(x.array.dtype), (0.0, 0.0)) for x in (a, b)]
    relative, absolute = (rtol, atol) if rtol is not None and atol is not None else map(max, zip(*found))
    x, y = (np.asarray(on_cpu(t.array)) for t in (a, b))
    np.testing.assert_allclose(x, y, relative, absolute, equal_nan, msg or "")


_explain(__name__)
