"""JAX: one step or all steps in a call, with its own gradients or with this engine's tape inside."""

from __future__ import annotations

from typing import Any

from benchmarks.implementations import ways
from benchmarks.interface import Implementation, Run, Unavailable, first_line, library
from benchmarks.problems import PROBLEMS, Case


def jax_of(case: Case) -> Any:
    """The module JAX, set to the case's dtype."""
    jax = library("jax", "JAX", "group: peers")
    if case.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    return jax


def own_gradients(case: Case, jax: Any) -> Any:
    """A step by `jax.value_and_grad`."""
    value_and_gradient, lr = jax.value_and_grad(case.problem.loss_in(jax)), case.lr

    def step(w: Any, x: Any, y: Any) -> Any:
        loss, gradient = value_and_gradient(w, x, y)
        return [a - lr * g for a, g in zip(w, gradient)], loss

    return step


def tape(case: Case, jax: Any) -> Any:
    """A step by this engine's `backward()` on JAX's arrays."""
    import tinygrad_poly as tg

    loss_of, lr = case.problem.loss_in(tg), case.lr

    def step(w: Any, x: Any, y: Any) -> Any:
        weights: list[Any] = [tg.tensor(a, requires_grad=True) for a in w]
        loss = loss_of(weights, tg.tensor(x), tg.tensor(y))
        loss.backward()
        return [a - lr * t.grad.array for a, t in zip(w, weights)], loss.array

    return step


def placed(case: Case, jax: Any) -> tuple[list[Any], Any, Any]:
    """The weights and the data as JAX's arrays, on the case's device.

    Raises:
        Unavailable: where JAX does not find the device.
    """
    try:
        place = jax.devices(case.device.partition(":")[0])[0]
    except RuntimeError as error:
        raise Unavailable(f"no GPU that JAX {jax.__version__} can use: {first_line(error)}") from None
    x, y = (jax.device_put(a, place) for a in case.data())
    return [jax.device_put(w, place) for w in case.start()], x, y


def one_by_one(case: Case) -> Run:
    """A call for each step, by `jax.jit` of a step."""
    jax = jax_of(case)
    weights, x, y = placed(case, jax)
    step = jax.jit(own_gradients(case, jax))
    loss: Any = None

    def take(n: int) -> None:
        nonlocal weights, loss
        for _ in range(n):
            weights, loss = step(weights, x, y)
        jax.block_until_ready((weights, loss))

    return Run(take, lambda: ways.numbers(weights), lambda: loss.item())


def all_at_once(case: Case, make_step: Any) -> Run:
    """One call for all steps, by `jax.jit` of a `fori_loop`."""
    jax = jax_of(case)
    weights, x, y = placed(case, jax)
    step = make_step(case, jax)

    def steps(n: Any, w: Any, x: Any, y: Any) -> Any:
        start = (w, jax.numpy.zeros((), case.dtype))
        return jax.lax.fori_loop(0, n, lambda _, state: step(state[0], x, y), start)

    run = jax.jit(steps)
    loss: Any = None

    def take(n: int) -> None:
        nonlocal weights, loss
        weights, loss = jax.block_until_ready(run(n, weights, x, y))

    return Run(take, lambda: ways.numbers(weights), lambda: loss.item())


IMPLEMENTATIONS = [
    Implementation("JAX jit", "compiled", one_by_one, problems=tuple(PROBLEMS)),
    Implementation(
        "JAX fori_loop",
        "compiled",
        lambda case: all_at_once(case, own_gradients),
        ("cpu", "cuda"),
        problems=tuple(PROBLEMS),
        alone=("cuda",),
    ),
    Implementation(
        "tinygrad_poly in JAX",
        "compiled",
        lambda case: all_at_once(case, tape),
        references=("JAX fori_loop", "torch.autograd"),
    ),
]
