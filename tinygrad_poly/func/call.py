"""Calls to be differentiated: a user's function of containers as a function from tensors to tensors."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_poly.engine.arrays import is_floating
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError, StructureError
from tinygrad_poly.engine.recording import reads
from tinygrad_poly.engine.walk import Node
from tinygrad_poly.func.containers import Structure, flatten
from tinygrad_poly.func.given import as_tensors
from tinygrad_poly.tensor import Tensor

Argnums = int | tuple[int, ...]


class Call:
    """One call of `func(*args, **kwargs)`, to be differentiated by the tensors in some of the arguments.

    Called with a list of tensors in the place of `primals`, it returns the tensors in the result. What was
    around them is kept aside: `inputs` and `outputs` are the structures of the arguments and of the result,
    and `aux` is the result's second part where `has_aux` says that there is one.

    Args:
        name: the transform's, for its error messages.
        func: the user's function.
        args: its positional arguments.
        kwargs: its keyword arguments, never differentiated.
        argnums: the position to differentiate by, or several: then `inputs` is a tuple.
        has_aux: whether the function returns a pair, whose second part is not differentiated.

    Raises:
        StructureError: for an `argnums` that names no argument.
        DtypeError: for an argument that holds something else than floating tensors.
    """

    def __init__(
        self,
        name: str,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Argnums,
        has_aux: bool,
    ) -> None:
        self.name = name
        self.func = func
        self.args = list(args)
        self.kwargs = kwargs
        self.positions = _positions(name, argnums, len(args))
        # Arguments without a tensor may be numbers and arrays; and then so may their tangents.
        plain = [i for i in self.positions if not any(isinstance(x, Tensor) for x in flatten(args[i])[0])]
        for i in plain:
            self.args[i] = as_tensors(args[i])
        self._taken = as_tensors if plain else _as_given
        self.has_aux = has_aux
        self.aux: Any = None
        self.outputs: Structure
        self.primals, self._chosen = flatten(tuple(self.args[i] for i in self.positions))
        self.inputs = self._chosen.parts[0] if isinstance(argnums, int) else self._chosen
        for primal, where in zip(self.primals, self._places(), strict=True):
            self._check_leaf(primal, where)

    def _places(self) -> list[str]:
        return [
            f"argument {i}{p}" for i, part in zip(self.positions, self._chosen.parts.values()) for p in part.paths()
        ]

    def __call__(self, xs: Sequence[Tensor]) -> list[Tensor]:
        """The tensors in the function's result, with `xs` in the place of `primals`.

        Raises:
            DtypeError: for a result that holds something else than floating tensors, or none.
            GraphError: for a result that an argument's numbers were read for, without a path to that argument.
            StructureError: for a result that is no pair where `has_aux` promised one.
        """
        args = list(self.args)
        for i, x in zip(self.positions, self._chosen.unflatten(xs)):
            args[i] = x
        read: list[Any] = []
        token = reads.set((*reads.get(), read))
        try:
            output = self.func(*args, **self.kwargs)
        finally:
            reads.reset(token)
        if self.has_aux:
            if not isinstance(output, tuple) or len(output) != 2:
                given = f"a tuple of {len(output)}" if isinstance(output, tuple) else type(output).__name__
                raise StructureError(
                    f"{self.name}(): with has_aux=True the function must return (output, aux), not {given}"
                )
            output, self.aux = output
        ys, self.outputs = flatten(output)
        if not ys:
            raise DtypeError(f"{self.name}(): the function must return a tensor, and it returned {self.outputs}")
        for y, path in zip(ys, self.outputs.paths()):
            self._check_leaf(y, f"the function's result{path}", "compute it with tensors all the way")
        if read:
            self._check_reads(xs, ys, read)
        return ys

    def _check_reads(self, xs: Sequence[Tensor], ys: Sequence[Tensor], read: Sequence[Any]) -> None:
        """Refuse a result that depends on an argument, if at all, only through numbers that were read of it."""
        known = ancestors(y.node for y in ys)
        for x, where in zip(xs, self._places(), strict=True):
            if x.node not in known:
                for node, array, line in read:
                    if array is x.array or x.node in ancestors([node]):
                        at = f" at {line.filename}, line {line.lineno} ({line.line})" if line else ""
                        raise GraphError(
                            f"{self.name}(): the result does not depend on {where} through tensors, but its numbers "
                            f"were read{at}, and what is computed with those has no derivative here: compute with "
                            "tensors from the argument to the result (tinygrad_poly's sin(x) for math.sin(x), no "
                            "float(), item() or numpy() on the way). If it is to count as a constant, pass it beside "
                            "what is differentiated (argnums)"
                        )

    def _check_leaf(self, value: Any, where: str, cure: str = "wrap a number in tensor(...)") -> None:
        if not isinstance(value, Tensor):
            raise DtypeError(
                f"{self.name}(): {where} must be a tensor, not {type(value).__name__}; {cure}, and pass what is not "
                "differentiated beside it (argnums, has_aux)"
            )
        if not is_floating(value.dtype):
            raise DtypeError(
                f"{self.name}(): {where} is {value.dtype}, and only floating-point tensors have derivatives; "
                "convert it with .float(), or pass it beside what is differentiated (argnums, has_aux)"
            )

    def tangents(self, given: Any) -> list[Tensor]:
        """The tensors in `given`, one for each primal.

        Raises:
            StructureError: where the containers differ from those of the primals.
            ShapeError: where a tensor's shape does.
            DtypeError: where its dtype does.
        """
        vs = self._chosen.leaves(self._taken(given), f"{self.name}(): primals and tangents")
        self._check_like(vs, self.primals, "tangent", [p.replace("argument", "primal") for p in self._places()])
        return vs

    def cotangents(self, given: Any, ys: Sequence[Tensor]) -> list[Tensor]:
        """The tensors in `given`, one for each output; raises as `tangents` does."""
        vs = self.outputs.leaves(self._taken(given), f"{self.name}(): outputs and cotangents")
        self._check_like(vs, ys, "cotangent", [f"output{path}" for path in self.outputs.paths()])
        return vs

    def _check_like(self, vs: Sequence[Any], xs: Sequence[Tensor], role: str, places: Sequence[str]) -> None:
        for v, x, where in zip(vs, xs, places, strict=True):
            if not isinstance(v, Tensor):
                raise DtypeError(f"{self.name}(): the {role} of {where} must be a tensor, not {type(v).__name__}")
            if v.shape != x.shape:
                raise ShapeError(f"{self.name}(): the {role} of {where} has shape {v.shape}, but {where} has {x.shape}")
            if v.dtype != x.dtype:
                raise DtypeError(
                    f"{self.name}(): the {role} of {where} is {v.dtype}, but {where} is {x.dtype}; "
                    f"convert the {role} with .to({x.dtype})"
                )

    def scalar(self, ys: Sequence[Tensor]) -> Tensor:
        """The only output of a function that has a gradient.

        Raises:
            DtypeError: where the function returned a container.
            ShapeError: where it returned a tensor of several elements, or of one in a dimension.
        """
        if self.outputs.kind is not None:
            raise DtypeError(
                f"{self.name}(): the function must return one scalar tensor, and it returned {self.outputs}; "
                "use jacrev for several outputs, or has_aux=True for (output, aux)"
            )
        (y,) = ys
        if y.shape:
            raise ShapeError(
                f"{self.name}(): the function must return a scalar, and it returned shape {y.shape}; "
                "reduce it with .sum() or .mean(), or use vjp or jacrev"
            )
        return y


def _as_given(value: Any) -> Any:
    return value


def ancestors(nodes: Iterable[Node | None]) -> set[Node]:
    """These nodes, and all that they were computed from."""
    stack = [node for node in nodes if node is not None]
    seen = set(stack)
    while stack:
        new = {parent for parent in stack.pop().parents if parent is not None} - seen
        seen |= new
        stack += new
    return seen


def _positions(name: str, argnums: Any, count: int) -> tuple[int, ...]:
    """`argnums` as non-negative positions."""
    given = argnums if isinstance(argnums, tuple) else (argnums,)
    if not given or not all(isinstance(i, int) for i in given):
        raise StructureError(f"{name}(): argnums must be an int or a tuple of one or more, not {argnums!r}")
    for i in given:
        if not -count <= i < count:
            raise StructureError(
                f"{name}(): argnums names argument {i}, but the function was called with {count} positional "
                f"argument{'s' if count != 1 else ''}"
            )
    positions = tuple(i % count for i in given)
    if len(set(positions)) != len(positions):
        raise StructureError(f"{name}(): argnums {argnums!r} names the same argument twice")
    return positions
