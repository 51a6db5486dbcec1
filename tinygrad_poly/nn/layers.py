"""Linear layers and tables of vectors, modules that change shapes, and dropout."""

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_poly import functions
from tinygrad_poly.creation import zeros
from tinygrad_poly.engine.arrays import Shape
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.nn import functional
from tinygrad_poly.nn.applied import Applied
from tinygrad_poly.nn.module import Module, Parameter
from tinygrad_poly.random import randn, uniform_like
from tinygrad_poly.tensor import Tensor


class _Weighted(Module):
    """A layer with weights of a shape that begins with the outputs and, if asked for, a bias for each output."""

    def __init__(self, shape: Shape, bias: bool, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = Parameter(zeros(shape, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(zeros(shape[:1], device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start again: weights and bias uniform in ±1/√(weights of an output), with torch's numbers for a seed."""
        count = math.prod(self.weight.shape[1:])
        bound = 1 / math.sqrt(count) if count else 0.0
        with no_grad:
            for p in self.parameters(recurse=False):
                p.copy_(uniform_like(zeros(p.shape, dtype=p.dtype), -bound, bound).to(p.device))


class Linear(_Weighted):
    """A linear layer y = x Wᵀ + b, with W of shape (out_features, in_features) and b of shape (out_features,).

    The weights start uniform in ±1/√in_features, drawn in torch's order: the same seed gives the same
    layer.

    >>> Linear(2, 3)
    Linear(in_features=2, out_features=3, bias=True)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__((out_features, in_features), bias, device, dtype)
        self.in_features, self.out_features = in_features, out_features

    def forward(self, input: Tensor) -> Tensor:
        """The output x Wᵀ + b for x of shape (…, in_features).

        Raises:
            ShapeError: where the last length is not in_features.
        """
        shape = input.shape
        if not shape or shape[-1] != self.in_features:
            raise ShapeError(
                f"Linear expects inputs of shape (..., {self.in_features}), but got {shape}; "
                "a column of numbers is x.view(-1, 1)"
            )
        return functions.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes, as torch prints them."""
        has_bias = self._parameters["bias"] is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={has_bias}"


class Identity(Module):
    """A module that returns its input, whatever arguments it was made with.

    >>> Identity()(tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """The input."""
        return input


def _flattened(input: Tensor, start_dim: int = 1, end_dim: int = -1) -> Tensor:
    return functions.flatten(input, start_dim, end_dim)


class Flatten(Applied, function=_flattened):
    """A module that merges the dimensions from `start_dim` to `end_dim`; by default all but the first.

    >>> Flatten()(zeros(5, 2, 3)).shape
    torch.Size([5, 6])
    """


def _unflattened(input: Tensor, dim: int, unflattened_size: Sequence[int]) -> Tensor:
    return functions.unflatten(input, dim, unflattened_size)


class Unflatten(Applied, function=_unflattened):
    """A module that divides a dimension into several, one of which may be −1: what is left for it.

    >>> Unflatten(1, (2, -1))(zeros(5, 6)).shape
    torch.Size([5, 2, 3])
    """


class _Dropout(Applied):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        functional.check_probability(self.p)

    def extra_repr(self) -> str:
        """The options, as torch prints them."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout, function=functional.dropout):
    """Random zeros in training: each element with probability p; the others are divided by 1 − p.

    In evaluation nothing changes.

    >>> Dropout(0.2).eval()(tensor([1.0, 2.0]))
    tensor([1., 2.])
    """


class Dropout2d(_Dropout, function=functional.dropout2d):
    """Whole channels of zeros in training, for x of shape (N, C, …): see `Dropout`.

    >>> Dropout2d(1.0)(zeros(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """


class Dropout1d(_Dropout, function=functional.dropout1d):
    """Whole channels of zeros in training, for x of shape (N, C, L) or (C, L): see `Dropout`.

    >>> Dropout1d(1.0)(tensor([[1.0, 2.0]]))
    tensor([[0., 0.]])
    """


class Embedding(Module):
    """A table of vectors, of which an integer chooses one; they start with the standard normal distribution.

    Args:
        num_embeddings: how many vectors there are.
        embedding_dim: how long they are.
        padding_idx: the number of a vector that starts as zeros and gets no gradient.
        options: `device` and `dtype`; torch's others, such as `max_norm` and `sparse`, are refused.

    >>> Embedding(10, 3)(tensor([[1, 2, 9]])).shape
    torch.Size([1, 3, 3])
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, **options: Any) -> None:
        super().__init__()
        where = {name: options.pop(name, None) for name in ("dtype", "device")}
        numbers = options.pop("_weight", None)
        functional.check_embedding_options(options)
        if numbers is None:
            numbers = randn(num_embeddings, embedding_dim, **where)
            if padding_idx is not None:
                numbers[padding_idx] = 0.0
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = Parameter(numbers)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, *options: Any, **named: Any) -> "Embedding":
        """A table of vectors, the rows of a matrix, which are not trained unless `freeze` is false.

        Raises:
            ShapeError: for other than two dimensions.
        """
        if embeddings.ndim != 2:
            raise ShapeError(f"from_pretrained() expects a matrix with a row for each vector, not {embeddings.shape}")
        layer = cls(*embeddings.shape, *options, **named, _weight=embeddings)
        layer.weight.requires_grad_(not freeze)
        return layer

    def forward(self, input: Tensor) -> Tensor:
        """The vectors with the numbers in `input`."""
        return functional.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """The sizes, as torch prints them."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
