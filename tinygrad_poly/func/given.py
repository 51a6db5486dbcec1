"""Arguments as people have them: numbers, lists, arrays, columns and tensors, as arrays or tensors."""

from typing import Any

import numpy as np

from tinygrad_poly.creation import tensor
from tinygrad_poly.engine.errors import DtypeError
from tinygrad_poly.func.containers import mapped
from tinygrad_poly.tensor import Tensor


def library_of(value: Any) -> str:
    """The library that a value is of: "tensor" for this one's, "torch", "numpy" for what is neither."""
    root = type(value).__module__.partition(".")[0]
    return (
        "tensor" if isinstance(value, Tensor) else "torch" if root == "torch" and hasattr(value, "detach") else "numpy"
    )


def as_array(value: Any) -> Any:
    """A number, list, array, column or tensor as a NumPy array; anything else as it is."""
    if isinstance(value, Tensor):
        return np.array(value.array)
    if library_of(value) == "torch":
        return np.array(value.detach().cpu().numpy())
    if hasattr(value, "to_numpy") and not hasattr(value, "columns"):
        value = value.to_numpy()
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DtypeError("the mask of a masked array would be lost: leave the masked numbers out, or fill them")
    if isinstance(value, (bool, str, bytes)) or not isinstance(value, (int, float, np.ndarray, np.generic, list)):
        return value
    try:
        array = np.array(value)
    except ValueError:  # rows of several lengths
        return value
    return value if array.dtype.kind not in "fiub" else array


def lists_as_arrays(tree: Any) -> Any:
    """Containers with arrays in the place of lists of numbers."""
    if isinstance(tree, list) and tree and of_numbers(tree) and isinstance(array := as_array(tree), np.ndarray):
        return array
    if type(tree) is dict:
        return {key: lists_as_arrays(value) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(map(lists_as_arrays, tree))
    return tree


def of_numbers(tree: Any) -> bool:
    """Whether a value is a number, or a list of numbers, or of such lists."""
    if isinstance(tree, list):
        return all(map(of_numbers, tree))
    return isinstance(tree, (int, float, np.generic)) and not isinstance(tree, bool)


def as_tensors(tree: Any) -> Any:
    """Containers with tensors in the place of numbers, lists of numbers, floating arrays and columns.

    Python's numbers become float64, which is what they are.
    """
    return mapped(_as_tensor, lists_as_arrays(tree))


def _as_tensor(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return leaf
    array = as_array(leaf)
    if type(leaf) is int:
        array = np.array(float(leaf))
    return tensor(array) if isinstance(array, np.ndarray) and array.dtype.kind == "f" else leaf
