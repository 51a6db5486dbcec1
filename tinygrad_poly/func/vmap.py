"""Functions of single examples as functions of batches: `vmap`, by a loop over the batch and a stack of the results."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from tinygrad_poly import random
from tinygrad_poly.engine.errors import ShapeError
from tinygrad_poly.func.containers import flatten
from tinygrad_poly.functions.indexing import select
from tinygrad_poly.functions.joining import stack
from tinygrad_poly.tensor import Tensor


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that applies `func` to each example of a batch, and stacks the results.

    It is a loop: it saves thinking about the dimension of the batch, but no time. It may be used inside and outside of
    the other transforms: `vmap(grad(loss), in_dims=(None, 0, 0))` gives the gradient of each example.

    Args:
        func: a function of tensors or nested containers of them, with such a result.
        in_dims: the dimension of the batch in the arguments: a number for all, or a tuple with an entry for each, which
            is a number, None for an argument that all examples share, or a container like the argument with such
            entries. Keyword arguments are shared by all examples.
        out_dims: where the dimension of the batch is put in the results, in the same form. None returns the result of
            an output that depends on no example, the last one's.
        randomness: whether random numbers drawn in `func` are an "error", "different" for each example, or the "same".
        chunk_size: torch's; nothing follows from it.

    The function returned raises ShapeError where the batch has no example, or the arguments disagree on how many it
    has, for dimensions that do not exist or do not fit the containers, and for results that are no tensors; and
    RuntimeError where random numbers are an error.

    >>> vmap(lambda x, w: (x * w).sum(), in_dims=(0, None))(tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    if randomness not in ("error", "different", "same"):
        raise ValueError(f"vmap(): randomness is 'error', 'different' or 'same', not {randomness!r}")

    @wraps(func)
    def of_batch(*args: Any, **kwargs: Any) -> Any:
        values, structure = flatten(args)
        dims = _spread(in_dims, args, "in_dims", "the arguments")
        size = _batch_size(values, dims)
        before = random.get_rng_state()
        results = []
        for i in range(size):
            if randomness == "same":
                random.set_rng_state(before)
            example = [x if dim is None else select(x, dim, i) for x, dim in zip(values, dims)]
            results.append(func(*structure.unflatten(example), **kwargs))
        if randomness == "error" and (random.get_rng_state().array != before.array).any():
            raise RuntimeError(
                "vmap(): the function draws random numbers: say randomness='different' for others in each "
                "example, 'same' for the same in all, or draw them outside"
            )
        outputs = [flatten(result) for result in results]
        places = _spread(out_dims, results[0], "out_dims", "the result")
        stacked = []
        for k, dim in enumerate(places):
            parts = [leaves[k] for leaves, _ in outputs]
            if not all(isinstance(part, Tensor) for part in parts):
                raise ShapeError(f"vmap(): the function must return tensors, and it returned {type(parts[0]).__name__}")
            stacked.append(parts[-1] if dim is None else stack(parts, dim))
        return outputs[0][1].unflatten(stacked)

    return of_batch


def _spread(dims: Any, tree: Any, name: str, what: str) -> list[int | None]:
    """A dimension for each leaf of a tree; a number in the place of a container stands for all that is in it."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(flatten(tree)[0])
    keyed = isinstance(dims, dict) and isinstance(tree, dict)
    if not (keyed or (isinstance(dims, (list, tuple)) and isinstance(tree, (list, tuple)))) or len(dims) != len(tree):
        raise ShapeError(f"vmap(): {name} {dims!r} does not fit the structure of {what}, {flatten(tree)[1]}")
    return [d for key in (tree if keyed else range(len(tree))) for d in _spread(dims[key], tree[key], name, what)]


def _batch_size(values: list[Any], dims: list[int | None]) -> int:
    sizes = set()
    for x, dim in zip(values, dims):
        if dim is not None:
            if not isinstance(x, Tensor):
                raise ShapeError(f"vmap(): only tensors have a batch, not {type(x).__name__}; give None as its in_dim")
            if not -x.ndim <= dim < x.ndim:
                raise ShapeError(f"vmap(): in_dim {dim} does not exist in an argument of shape {x.shape}")
            sizes.add(x.shape[dim])
    if len(sizes) != 1 or 0 in sizes:
        raise ShapeError(
            f"vmap(): the batch must have one size in all arguments, of 1 or more examples, and has {sorted(sizes)}"
        )
    return int(sizes.pop())
