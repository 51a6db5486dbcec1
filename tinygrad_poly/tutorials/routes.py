"""Routes: how the tutorials take their steps, by hand and in seven ways with an engine.

Each takes a problem, the weights to start with and the data, and yields for every step the loss, the
gradient, and the weights that the step led to. The arrays may be of any library that the engine
takes: `rounding` hands them arrays that count.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tinygrad_poly import autograd, nn, optim
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.functions import stack
from tinygrad_poly.tensor import Tensor
from tinygrad_poly.tutorials.problem import Problem, Step


def by_hand(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent on plain arrays, with the gradient worked out by hand."""
    weights, rule = list(start), problem.rule(problem.lr)
    for now in problem.each_step():
        loss = now.loss(now.model(weights, x), y)
        gradient = now.gradient(weights, x, y)
        weights = rule(weights, gradient)
        yield loss, gradient, weights


def in_place(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent in place: leaves are updated under `no_grad`, and their gradients reset."""
    weights, x, y = _leaves(problem, start), wrap(x, None), wrap(y, None)
    for _ in range(problem.steps):
        loss = problem.loss(problem.model(weights, x), y)
        loss.backward()
        gradient = _gradients(weights)
        with no_grad():
            for w, g in zip(weights, gradient, strict=True):
                w -= problem.lr * g
                w.grad = None
        yield loss, gradient, weights


def with_optimizer(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent by `optim.SGD`: zero_grad, backward, step."""
    weights, x, y = _leaves(problem, start), wrap(x, None), wrap(y, None)
    optimizer = optim.SGD(weights, lr=problem.lr)
    return _optimized(problem, weights, optimizer, lambda now: now.loss(now.model(weights, x), y))


def rebinding(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent by `w = w - lr * w.grad`, which is recorded too, so that each graph holds all earlier steps.

    Kept as in the tutorial, because the gradients are right; `docs/mistakes.md` shows what it costs.
    """
    weights, x, y = _leaves(problem, start), wrap(x, None), wrap(y, None)
    for _ in range(problem.steps):
        loss = problem.loss(problem.model(weights, x), y)
        for w in weights:
            w.retain_grad()
        loss.backward()
        gradient = _gradients(weights)
        weights = [w - problem.lr * g for w, g in zip(weights, gradient, strict=True)]
        yield loss, gradient, weights


def with_module(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent by an `nn.Linear`, an `nn.MSELoss` and an `optim.SGD`: the model, the loss and the update."""
    model = LinearRegression()
    weight, bias = start
    model.layer.weight = nn.Parameter(wrap(weight.reshape((1, 1)), None))
    model.layer.bias = nn.Parameter(wrap(bias.reshape((1,)), None))
    weights, x, y = list(model.parameters()), wrap(x, None), wrap(y, None)
    loss_function = nn.MSELoss()
    return _optimized(problem, weights, optim.SGD(weights, lr=problem.lr), lambda _: loss_function(model(x), y))


class LinearRegression(nn.Module):
    """A line as a module: one input, one output, a weight and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The prediction W x + b for a column x."""
        prediction: Tensor = self.layer(x)
        return prediction


class LegendrePolynomial3(autograd.Function):
    """The polynomial P₃(z) = ½ (5 z³ − 3 z) as an operation with a derivative of its own, P₃′(z) = 3/2 (5 z² − 1)."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """The values P₃(z)."""
        ctx.save_for_backward(z)
        return 0.5 * (5 * (z * z * z) - 3 * z)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        """The gradient for z: P₃′(z) times that for the values."""
        (z,) = ctx.saved_tensors
        result: Tensor = grad_output * (1.5 * (5 * (z * z) - 1))
        return result


def with_function(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent in place, the model a + b P₃(c + d x) by an operation that knows its own derivative."""

    def model(weights: Iterable[Array], x: Array) -> Array:
        a, b, c, d = weights
        return a + b * LegendrePolynomial3.apply(c + d * x)

    return in_place(replace(problem, model=model), start, x, y)


def with_powers(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent by an `nn.Linear` on x, x² and x³, an `nn.MSELoss` that sums, and the problem's optimizer."""
    x, y = wrap(x, None), wrap(y, None)
    powers = stack([x, x * x, x * x * x], dim=-1)
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
    bias, *others = (wrap(w, None) for w in start)
    model[0].weight, model[0].bias = nn.Parameter(stack(others).reshape(1, 3)), nn.Parameter(bias.reshape(1))
    loss_function = nn.MSELoss(reduction="sum")
    optimizer = problem.optimizer(model.parameters(), lr=problem.lr)
    weights = [model[0].bias, model[0].weight]
    for loss, gradient, after in _optimized(problem, weights, optimizer, lambda _: loss_function(model(powers), y)):
        yield loss, _numbers(gradient), _numbers(after)


class Polynomial(nn.Module):
    """A problem's model as a module that holds the weights."""

    def __init__(self, names: Sequence[str], start: Iterable[Array]) -> None:
        super().__init__()
        for name, w in zip(names, start, strict=True):
            setattr(self, name, nn.Parameter(wrap(w, None)))

    def forward(self, problem: Problem, x: Tensor) -> Tensor:
        """The prediction of the problem's model for x, whichever terms it has now."""
        prediction: Tensor = problem.model(self.parameters(), x)
        return prediction


def with_own_module(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent by a module that holds the weights, which may be another polynomial at each step, and an optimizer."""
    model, x, y = Polynomial(problem.names, start), wrap(x, None), wrap(y, None)
    weights = list(model.parameters())
    optimizer = problem.optimizer(weights, lr=problem.lr)
    return _optimized(problem, weights, optimizer, lambda now: now.loss(model(now, x), y))


def _optimized(
    problem: Problem, weights: Sequence[Tensor], optimizer: optim.Optimizer, loss_of: Callable[[Problem], Tensor]
) -> Iterator[Step]:
    """The steps of an optimizer: the loss of the step's problem, zero_grad, backward, step."""
    for now in problem.each_step():
        loss = loss_of(now)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, _gradients(weights), weights


def _numbers(tensors: Iterable[Tensor]) -> list[Tensor]:
    """All elements of some tensors, each as a tensor."""
    return [number for x in tensors for number in x.detach().reshape(-1).unbind()]


def _leaves(problem: Problem, start: Iterable[Array]) -> list[Tensor]:
    return [wrap(w.reshape(problem.shape), None).requires_grad_() for w in start]


def _gradients(weights: Sequence[Tensor]) -> list[Tensor]:
    return [w.grad for w in weights if w.grad is not None]
