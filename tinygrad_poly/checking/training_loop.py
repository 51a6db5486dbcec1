"""Training loops: what is wrong with a step of gradient descent, though its gradients are right.

It runs some steps and looks at the parameters between them. It sees neither a wrong formula (`check_gradients` does)
nor a loss that is computed against the wrong target: such a loop trains, only not what was meant.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_poly.checking.arguments import as_array, library_of, made_by
from tinygrad_poly.checking.surroundings import variables

PROBLEMS = {
    "history": "keeps its history: its graph grows with every step{sizes}. Update it in place: "
    "with no_grad(): {name} -= lr * {name}.grad",
    "not-zeroed": "adds each step's gradient to the earlier ones': call zero_grad() in each",
    "no-gradient": "never gets a gradient: the loss does not depend on it, or through numbers that were read out",
    "not-updated": "gets a gradient, but never changes",
}


@dataclass
class TrainingReport:
    """The result of `check_training_loop`: for each problem its code of `PROBLEMS`, the parameter, and what to do."""

    problems: list[tuple[str, str, str]] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The verdict: "pass", "fail", or "inconclusive" where no parameter was found."""
        return "fail" if self.problems else "pass" if self.parameters else "inconclusive"

    def __str__(self) -> str:
        lines = [f"{name} {words}" for _, name, words in self.problems]
        if not self.parameters:
            lines = ["no parameter was found: the step must be a function that names its tensors or its module"]
        told = "not looked at: the formulas of the gradients, and whether the loss is computed against the right target"
        return "\n  ".join([f"{self.verdict.upper()}: {', '.join(self.parameters)}", *lines, told])


def check_training_loop(step: Callable[[], Any], steps: int = 4) -> TrainingReport:
    """A report on a training step: it runs `step()` a few times and looks at the parameters that it names.

    >>> import tinygrad_poly as tg
    >>> w, x = tg.tensor(1.0, requires_grad=True), tg.tensor([1.0, 2.0])
    >>> def step():
    ...     global w
    ...     ((w * x - x - 1) ** 2).mean().backward()
    ...     with tg.no_grad():
    ...         w -= 0.1 * w.grad
    >>> report = check_training_loop(step)
    >>> report.problems[0][:2]
    ('not-zeroed', 'w')
    """
    seen = dict(_parameters(step))
    sizes: dict[str, list[int]] = {name: [] for name in seen}
    start = {name: as_array(p) for name, p in seen.items()}
    moved, graded = set(), set()
    for _ in range(max(steps, 2)):
        step()
        for name, p in _parameters(step):
            if name in sizes:
                sizes[name].append(graph_size(p))
                moved |= {name} if not np.array_equal(as_array(p), start[name]) else set()
                graded |= {name} if not p.is_leaf or p.grad is not None else set()
    kept = _kept(step)
    report = TrainingReport([], list(seen))
    for name in seen:
        grows = len(sizes[name]) > 1 and sizes[name][-1] > sizes[name][0]
        code = "history" if grows else "no-gradient" if name not in graded and name not in moved else ""
        code = code or ("not-updated" if name not in moved else "not-zeroed" if name in kept else "")
        if code:
            words = PROBLEMS[code].format(name=name, sizes=f" ({', '.join(map(str, sizes[name]))} nodes)")
            report.problems.append((code, name, words))
    return report


def _kept(step: Callable[[], Any]) -> set[str]:
    """The parameters whose gradient after a step still holds that of the step before.

    The step is done twice from the same weights: with the old gradients, and without them.
    """
    leaves = {name: p for name, p in _parameters(step) if p.is_leaf and p.grad is not None}
    old = {name: as_array(p.grad) for name, p in leaves.items()}
    values = {name: as_array(p) for name, p in leaves.items()}
    step()
    after = {name: as_array(p.grad) for name, p in leaves.items() if p.grad is not None}
    for name, p in leaves.items():
        p.data, p.grad = made_by(library_of(p), values[name], False), None
    step()
    found = set()
    for name, p in leaves.items():
        if name in after and p.grad is not None and old[name].any():
            rest = np.abs(after[name] - as_array(p.grad) - old[name]).max()
            found |= {name} if rest <= 1e-4 * np.abs(old[name]).max() else set()
    return found


def graph_size(tensor: Any) -> int:
    """The number of nodes in a tensor's graph."""
    stack, seen = [tensor.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack += [parent for parent, _ in node.next_functions]
    return len(seen)


def _parameters(step: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
    """The tensors that require grad among what a function names, and the parameters of the modules."""
    scope = dict(getattr(getattr(step, "__self__", None), "__dict__", {}))
    function = getattr(step, "__func__", step)
    return named(scope | dict(variables(function) if hasattr(function, "__code__") else ()))


def named(scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The tensors that require grad among variables, in their lists and dicts, and the parameters of modules."""
    for name, value in scope.items():
        if hasattr(value, "named_parameters") and not isinstance(value, type):
            yield from ((f"{name}.{n}", p) for n, p in value.named_parameters() if p.requires_grad)
        for n, x in value.items() if type(value) is dict else enumerate(value) if type(value) in (list, tuple) else ():
            if library_of(x) != "numpy" and x.requires_grad:
                yield f"{name}[{n!r}]", x
        if library_of(value) != "numpy" and value.requires_grad:
            yield name, value
