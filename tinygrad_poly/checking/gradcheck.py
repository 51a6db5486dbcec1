"""`gradcheck` and `gradgradcheck` under torch's names: torch's tolerances, and this package's reports."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_poly.autograd import grad
from tinygrad_poly.checking.doctor import check_gradients
from tinygrad_poly.checking.verdict import largest
from tinygrad_poly.creation import tensor as make_tensor
from tinygrad_poly.engine.errors import GraphError
from tinygrad_poly.tensor import Tensor


class GradcheckError(RuntimeError):
    """Gradients that finite differences do not confirm within the tolerances."""


def gradcheck(
    func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    raise_exception: bool = True, nondet_tol: float = 0.0, check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False, fast_mode: bool = False, masked: bool | None = None, **others: Any,
) -> bool:  # fmt: skip
    """Whether the gradients of a function of tensors are those of central differences, as in torch.

    Each number of each Jacobian must lie within `atol` + `rtol` · |difference| of the difference quotient. That passes
    a gradient which is wrong by a thousandth, and one that is 0 where all slopes are small: `checking.check_gradients`
    is stricter, and says how strict.

    Args:
        func: from tensors to a tensor or a tuple of them.
        inputs: a tensor or a tuple; those that require grad are differentiated by, and should be float64.
        eps: the step.
        atol: the absolute tolerance.
        rtol: the relative one.
        raise_exception: raise a GradcheckError, whose message is a report, instead of returning False.
        nondet_tol: how far two backward passes may differ.
        check_undefined_grad: accepted; gradients are never undefined here.
        check_grad_dtypes: whether a gradient must have its input's dtype; it always has.
        fast_mode: compare one random product uᵀJv for each pair, with torch's tolerance for it.
        masked: accepted for dense tensors, which have no mask.
        others: torch's further options, which must be off: there is no forward mode and no batching here.

    Raises:
        ValueError: where no input requires grad.
        GradcheckError: where the gradients differ, or two backward passes do.

    >>> x = tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    >>> gradcheck(lambda x: (x**3).sum(), (x,))
    True
    """
    if on := [name for name, value in others.items() if value and name != "check_backward_ad"]:
        raise NotImplementedError(f"gradcheck(): {on[0]} is not there: leave it out")
    given = _listed(inputs)
    chosen = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not chosen:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of them does")
    if any(given[i].dtype != np.float64 for i in chosen):
        warnings.warn("gradcheck: inputs should be float64: in float32, differences lose too much", stacklevel=2)
    problem = _problem(func, given, chosen, (eps, atol, rtol, nondet_tol), fast_mode)
    if problem and raise_exception:
        raise GradcheckError(problem)
    return not problem


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (tuple, list)) else [values]


def _problem(
    func: Callable[..., Any], given: list[Any], chosen: list[int], tolerances: tuple[float, ...], fast: bool
) -> str:
    eps, atol, rtol, nondet_tol = tolerances
    random, wanted = np.random.default_rng(0), [given[i] for i in chosen]

    def outputs(args: Sequence[Any]) -> list[Any]:
        return [y for y in _listed(func(*args)) if isinstance(y, Tensor)]

    def directions(shape: tuple[int, ...]) -> Any:
        """All directions along one axis, or one direction along all."""
        unit = random.random(shape)
        return unit[None] / np.linalg.norm(unit) if fast else np.eye(unit.size).reshape(unit.size, *shape)

    def moved(k: int, i: int, step: Any) -> Any:
        args = list(given)
        args[i] = make_tensor(np.array(args[i].array, np.float64) + step).to(args[i].dtype)
        return np.array(outputs(args)[k].array, np.float64)

    def backward(y: Tensor, v: Any) -> list[Any]:
        found: Any = [None] * len(wanted)
        if y.requires_grad:
            found = grad(y, wanted, make_tensor(v).to(y.dtype), retain_graph=True, allow_unused=True)
        return [np.zeros(x.shape) if g is None else np.array(g.array) for g, x in zip(found, wanted)]

    for k, y in enumerate(outputs(given)):
        vs = directions(y.shape)
        passes = [(backward(y, v), backward(y, v)) for v in vs]
        for n, i in enumerate(chosen):
            if any(largest(one[n] - two[n]) > nondet_tol for one, two in passes):
                return f"Backward is not reentrant: two passes for output {k} and input {i} differ"
            steps = directions(given[i].shape)
            moves = [(moved(k, i, eps * d) - moved(k, i, -eps * d)) / (2 * eps) for d in steps]
            numeric = np.array([[np.sum(v * move) for move in moves] for v in vs])
            claimed = np.array([[np.sum(one[n] * d) for d in steps] for one, _ in passes])
            loose = atol * float(vs[0].sum() * steps[0].sum()) if fast else atol
            if not np.allclose(claimed, numeric, rtol, loose, equal_nan=True):
                gap = np.abs(claimed - numeric).max()
                head = f"Jacobian mismatch for output {k} with respect to input {i}, by {gap:.3g}\n"
                try:
                    return head + str(check_gradients(lambda *xs, k=k: outputs(xs)[k], None, *given, wrt=[i]))
                except Exception as error:  # the report is an addition to what torch says
                    return f"{head}numerical:\n{numeric.T}\nanalytical:\n{claimed.T}\n({error})"
    return ""


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, gen_non_contig_grad_outputs: bool = False,
    check_rev_over_rev: bool = True, **options: Any,
) -> bool:  # fmt: skip
    """Whether the gradients of a function's gradients are those of differences, as in torch.

    Args:
        func: as for `gradcheck`.
        inputs: as for `gradcheck`.
        grad_outputs: a cotangent for each output; random ones by default.
        gen_non_contig_grad_outputs: accepted; it makes no difference here.
        check_rev_over_rev: accepted; there is no other way here.
        options: of `gradcheck`.

    Raises: as `gradcheck`.

    >>> x = tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    >>> gradgradcheck(lambda x: x**3, (x,))
    True
    """
    given = _listed(inputs)
    random, vs = np.random.default_rng(0), grad_outputs
    if grad_outputs is None:
        ys = _listed(func(*given))
        vs = [make_tensor(random.standard_normal(y.shape)).to(y.dtype).requires_grad_() for y in ys]
    wanted = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]

    def gradients(*args: Any) -> Any:
        xs, cotangents = args[: len(given)], args[len(given) :]
        xs = tuple(x if i not in wanted or x.requires_grad else x.detach().requires_grad_() for i, x in enumerate(xs))
        pairs = [(y, v) for y, v in zip(_listed(func(*xs)), cotangents) if y.requires_grad]
        if not pairs:
            raise GraphError("gradgradcheck: no output requires grad")
        outputs, inner = [y for y, _ in pairs], [v for _, v in pairs]
        found = grad(outputs, [xs[i] for i in wanted], inner, create_graph=True, allow_unused=True)
        return tuple(g if g is not None else xs[i] * 0 for i, g in zip(wanted, found))

    return gradcheck(gradients, (*given, *_listed(vs)), **options)
