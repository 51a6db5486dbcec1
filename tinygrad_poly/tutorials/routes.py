"""Routes: how the tutorials take their steps, by hand and in four ways with an engine.

Each takes a problem, the weights to start with and the data, and yields for every step the loss, the
gradient, and the weights that the step led to. The arrays may be of any library that the engine
takes: `rounding` hands them arrays that count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tinygrad_poly import nn, optim
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array
from tinygrad_poly.engine.recording import no_grad
from tinygrad_poly.tensor import Tensor
from tinygrad_poly.tutorials.problem import Problem, Step


def by_hand(problem: Problem, start: Iterable[Array], x: Array, y: Array) -> Iterator[Step]:
    """Descent on plain arrays, with the gradient worked out by hand."""
    weights = list(start)
    for _ in range(problem.steps):
        loss = problem.loss(problem.model(weights, x), y)
        gradient = problem.gradient(weights, x, y)
        weights = [w - problem.lr * g for w, g in zip(weights, gradient, strict=True)]
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
    for _ in range(problem.steps):
        loss = problem.loss(problem.model(weights, x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, _gradients(weights), weights


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
    optimizer = optim.SGD(weights, lr=problem.lr)
    for _ in range(problem.steps):
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        yield loss, _gradients(weights), weights


class LinearRegression(nn.Module):
    """A line as a module: one input, one output, a weight and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The prediction W x + b for a column x."""
        prediction: Tensor = self.layer(x)
        return prediction


def _leaves(problem: Problem, start: Iterable[Array]) -> list[Tensor]:
    return [wrap(w.reshape(problem.shape), None).requires_grad_() for w in start]


def _gradients(weights: Sequence[Tensor]) -> list[Tensor]:
    return [w.grad for w in weights if w.grad is not None]
