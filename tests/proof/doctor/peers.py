"""The checkers: this one and its peers, each asked the same question about a case.

A peer answers "pass" or "fail", and this one also "inconclusive"; None says that a case is not for it. An exception
because a gradient has the wrong shape is a "fail": whoever runs the check sees it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .cases import Case

SCIPY_ALLOWS = 1e-6
"""SciPy returns the norm of a difference and no verdict: what its users compare it with."""


@dataclass
class Answer:
    """What a checker says about a case."""

    verdict: str
    oracle: str = ""
    diagnoses: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    message: str = ""
    seconds: float = 0.0


Checker = Callable[[Case], Answer | None]


def _split(case: Case) -> tuple[Callable[..., Any], Callable[..., Any], list[Any]]:
    """The function of the active arguments, its product of a cotangent with the Jacobian, and those arguments."""
    loss, gradient, wrt = case.loss, case.make(), case.wrt

    def filled(active: Any) -> list[Any]:
        args = list(case.given)
        for k, x in zip(wrt, active):
            args[k] = np.asarray(x, case.dtype)[()]
        return args

    def value(*active: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(loss(*filled(active)))

    def vjp(g: Any, *active: Any) -> list[Any]:
        with np.errstate(all="ignore"):
            if case.array:
                return [np.array(d) for d in gradient(*filled(active), np.asarray(g, case.dtype))]
            return [np.array(d * case.dtype(g)) for d in gradient(*filled(active))]

    return value, vjp, [case.given[k] for k in wrt]


def _torch(case: Case, fast: bool) -> Answer | None:
    import torch
    from torch.autograd.gradcheck import GradcheckError

    if case.dtype is not np.float64:
        return None  # "designed for double precision": it warns, and fails by its step
    value, vjp, active = _split(case)

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.arrays = [t.detach().numpy() for t in tensors]
            return torch.as_tensor(value(*ctx.arrays))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return tuple(torch.as_tensor(np.ascontiguousarray(d)) for d in vjp(g.numpy(), *ctx.arrays))

    inputs = [torch.tensor(np.asarray(x), requires_grad=True) for x in active]
    try:
        torch.autograd.gradcheck(Wrapped.apply, inputs, fast_mode=fast, check_undefined_grad=False)
    except (GradcheckError, RuntimeError, ValueError, IndexError) as error:
        return Answer("fail", message=str(error))
    return Answer("pass")


def torch_slow(case: Case) -> Answer | None:
    """torch.autograd.gradcheck."""
    return _torch(case, False)


def torch_fast(case: Case) -> Answer | None:
    """torch.autograd.gradcheck(fast_mode=True)."""
    return _torch(case, True)


def jax(case: Case) -> Answer | None:
    """jax.test_util.check_grads, reverse mode, first order."""
    import jax
    from jax.test_util import check_grads

    value, vjp, active = _split(case)
    with jax.enable_x64(True):
        shapes = [jax.ShapeDtypeStruct(np.shape(x), case.dtype) for x in active]
        out = jax.ShapeDtypeStruct(np.shape(value(*active)), case.dtype)

        @jax.custom_vjp
        def wrapped(*xs: Any) -> Any:
            return jax.pure_callback(lambda *a: np.asarray(value(*a), case.dtype), out, *xs)

        def back(xs: Any, g: Any) -> Any:
            return tuple(
                jax.pure_callback(lambda g, *a: [np.asarray(d, case.dtype) for d in vjp(g, *a)], shapes, g, *xs)
            )

        wrapped.defvjp(lambda *xs: (wrapped(*xs), xs), back)
        try:
            check_grads(wrapped, tuple(jax.numpy.asarray(x) for x in active), order=1, modes=("rev",))
        except Exception as error:  # an error inside a callback comes in a class of XLA's
            return Answer("fail", message=str(error))
    return Answer("pass")


def hips(case: Case) -> Answer | None:
    """autograd.test_util.check_grads, reverse mode, first order."""
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    if case.dtype is not np.float64:
        return None  # its step is below what float32 tells apart
    value, vjp, active = _split(case)
    wrapped = primitive(lambda *xs: value(*xs)[()])

    def rule(k: int) -> Any:
        return lambda ans, *xs: lambda g: vjp(g, *xs)[k][()]

    defvjp(wrapped, *[rule(k) for k in range(len(active))])
    np.random.seed(0)  # noqa: NPY002 (it draws its direction from this generator)
    try:
        with np.errstate(all="ignore"):
            check_grads(wrapped, modes=["rev"], order=1)(*[np.array(x)[()] for x in active])
    except (AssertionError, ValueError, TypeError, IndexError, FloatingPointError) as error:
        return Answer("fail", message=str(error))
    return Answer("pass")


def scipy(case: Case) -> Answer | None:
    """scipy.optimize.check_grad, for functions to a number."""
    from scipy.optimize import check_grad

    if case.array or case.dtype is not np.float64:
        return None
    value, vjp, active = _split(case)
    cuts = np.cumsum([np.size(x) for x in active])[:-1]

    def parts(x: Any) -> list[Any]:
        return [p.reshape(np.shape(a)) for p, a in zip(np.split(x, cuts), active)]

    def flat(arrays: Any) -> Any:
        return np.concatenate([np.ravel(a) for a in arrays])

    try:
        with np.errstate(all="ignore"):
            norm = check_grad(lambda x: float(value(*parts(x))), lambda x: flat(vjp(1.0, *parts(x))), flat(active))
    except (ValueError, IndexError) as error:
        return Answer("fail", message=str(error))
    return Answer("pass" if norm < SCIPY_ALLOWS else "fail", message=str(norm))


def doctor(case: Case, oracle: str = "auto") -> Answer | None:
    """tinygrad_poly.checking.check_gradients."""
    from tinygrad_poly.checking import check_gradients

    report = check_gradients(case.loss, case.make(), *case.given, wrt=case.row.wrt, oracle=oracle)
    found: dict[str, list[tuple[str, bool]]] = {}
    for d in report.diagnosis:
        found.setdefault(d.argument, []).append((d.code, d.sure))
    return Answer(report.verdict, report.oracle, found, str(report))


def by_differences(case: Case) -> Answer | None:
    """tinygrad_poly.checking.check_gradients(oracle="finite differences")."""
    return doctor(case, "finite differences")


DOCTOR, DIFFERENCES = "tinygrad_poly", "tinygrad_poly, differences"
CHECKERS: dict[str, tuple[str, Checker]] = {
    DOCTOR: ("tinygrad_poly", doctor),
    DIFFERENCES: ("tinygrad_poly", by_differences),
    "torch, slow": ("torch", torch_slow),
    "torch, fast": ("torch", torch_fast),
    "JAX": ("jax", jax),
    "HIPS autograd": ("autograd", hips),
    "SciPy": ("scipy", scipy),
}
"""Name, the package that it needs, and the checker."""


def ask(checker: Checker, case: Case) -> Answer | None:
    """A checker's answer with its time in seconds of CPU; what it raises by itself is "error"."""
    began = time.process_time()
    try:
        answer = checker(case)
    except Exception as error:
        answer = Answer("error", message=f"{type(error).__name__}: {error}")
    if answer is not None:
        answer.seconds = time.process_time() - began
        assert math.isfinite(answer.seconds)
    return answer
