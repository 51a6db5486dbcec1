"""Exercise 6: write `answer(gradient, shape)`, which adds up a gradient to the shape of the array that was repeated."""

import numpy as np


def check(answer):
    """Repeat arrays of five shapes by NumPy, and count how often each element was used."""
    for small, large in (((), (3,)), ((4,), (3, 4)), ((3, 1), (3, 4)), ((1,), (2, 5)), ((2, 3), (2, 3))):
        gradient = np.arange(1.0, 1.0 + np.prod(large)).reshape(large)
        got = np.asarray(answer(gradient, small))
        assert got.shape == small, f"an array of shape {small} needs a gradient of this shape, yours has {got.shape}"
        origin = np.broadcast_to(np.arange(np.prod(small, dtype=int)).reshape(small), large)
        exact = np.bincount(origin.ravel(), weights=gradient.ravel()).reshape(small)
        assert np.array_equal(got, exact), f"from {large} to {small}: expected {exact}, yours is {got}"


def answer(gradient, shape):
    """Axes in front that the small array has not, and axes where it has length 1, are added up."""
    front = gradient.ndim - len(shape)
    alike = [front + axis for axis, length in enumerate(shape) if length == 1]
    return gradient.sum(axis=(*range(front), *alike)).reshape(shape)


def mistake(gradient, shape):
    """Only the axes in front: an axis of length 1 was repeated, too."""
    return gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
