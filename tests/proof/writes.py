"""Random programs of views, writes and reads, run here, by torch, and by a model without views or writes.

`python -m tests.proof.writes --count 20000` runs that many and prints what came. The model knows memory as one vector
of numbers, and a tensor as places in it; a write makes a new vector. It takes torch's side where torch refuses only to
protect what it saved for the backward pass, or because of how it writes (`ONLY_TORCH`).
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

import tinygrad_poly as tg

Choose = Callable[[int], int]

ONLY_TORCH = (
    "modified by an inplace operation",  # what was saved for the backward pass
    "refer to a single memory location",  # a source that partly lies where it is written to
    "its base or another view of its base has been modified inplace",  # chunks and no_grad views, read after a write
)
SHAPES = [(3,), (2, 3), (3, 3), (2, 1, 3), ()]


class _Renumbered(torch.autograd.Function):
    """Other numbers, the same graph."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        return numbers.clone()

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        return g, None


class Memory:
    """A vector of numbers, and all the graphs that are about parts of it."""

    def __init__(self, numbers: torch.Tensor) -> None:
        self.numbers = numbers
        self.owners: list[Owner] = []

    def write(self, places: torch.Tensor, numbers: torch.Tensor, writer: Owner | None) -> None:
        self.numbers = self.numbers.clone()
        self.numbers[places] = numbers.reshape(places.shape)
        for owner in self.owners:
            if owner is not writer:
                with torch.enable_grad():
                    owner.value = _Renumbered.apply(owner.value, self.numbers[owner.places])


class Owner:
    """A tensor that is no view, or that has the numbers of another without its graph."""

    def __init__(self, memory: Memory, places: torch.Tensor, value: torch.Tensor, leaf: Any = None) -> None:
        self.memory, self.places, self.value, self.leaf = memory, places, value, leaf
        memory.owners.append(self)


class Model:
    """A tensor of the model: an owner, and where in it this one's elements are, laid out as torch lays them out."""

    def __init__(self, owner: Owner, at: torch.Tensor) -> None:
        self.owner, self.at = owner, at

    @classmethod
    def of(cls, value: torch.Tensor, layout: torch.Tensor | None = None, leaf: Any = None) -> Model:
        places = torch.arange(value.numel()).reshape(value.shape)
        memory = Memory(value.detach().reshape(-1).clone())
        at = places if layout is None else torch.empty_like(layout, dtype=torch.int64).copy_(places)
        return cls(Owner(memory, places, value, leaf), at)

    @property
    def value(self) -> torch.Tensor:
        value = self.owner.value.reshape(-1)[self.at]
        return value if torch.is_grad_enabled() else value.detach()

    def view(self, look: Callable[[Any], Any]) -> Any:
        at = look(self.at)
        if at is self.at:
            return self
        if isinstance(at, (tuple, list)):
            return [self.view(lambda x, i=i: look(x)[i]) for i in range(len(at))]
        if at.untyped_storage().data_ptr() != self.at.untyped_storage().data_ptr():
            return Model.of(look(self.value), at)
        if not torch.is_grad_enabled():
            return Model(self._detached_owner(), self.at).view_of_all(look)
        return Model(self.owner, at)

    def view_of_all(self, look: Callable[[Any], Any]) -> Model:
        return Model(self.owner, look(self.at))

    def _detached_owner(self) -> Owner:
        return Owner(self.owner.memory, self.owner.places, self.owner.value.detach())

    def detach(self) -> Model:
        return Model(self._detached_owner(), self.at)

    def store(self, new: torch.Tensor) -> None:
        owner, recording = self.owner, torch.is_grad_enabled()
        flat = owner.value.reshape(-1)
        value = flat.index_put((self.at.reshape(-1),), new.reshape(-1)).reshape(owner.value.shape)
        if recording:
            owner.value = value
        owner.memory.write(owner.places, value.detach(), owner if recording else None)

    def share(self, other: Model) -> None:
        """`x.data = y`: another owner, of the same graph."""
        numbers, places = other.value.detach(), other.owner.places.reshape(-1)[other.at]
        own = self.owner.value.reshape(-1)[self.at]
        with torch.enable_grad():
            value = _Renumbered.apply(own, numbers)
        owner = Owner(other.owner.memory, places, value, self.owner.leaf)
        layout = torch.empty_like(other.at).copy_(torch.arange(places.numel()).reshape(places.shape))
        self.owner, self.at = owner, layout


class DisagreementError(AssertionError):
    """What was found, with the program that led to it."""


class Run:
    """One program, made up as it goes by `choose(n)`, which returns an integer from 0 to n − 1."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.lines: list[str] = []
        self.ours: list[Any] = []
        self.theirs: list[Any] = []
        self.model: list[Model] = []
        self.leaves: list[int] = []
        self.torch_left = False
        # Torch does not watch writes between a tensor and its `.data`: what it saved for the backward pass changes.
        self.unwatched = False
        self.torch_misled = False
        self.refused = 0

    def pick(self, options: Any) -> Any:
        return options[self.choose(len(options))]

    def numbers(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        return np.array([self.choose(5) - 2 for _ in range(int(np.prod(shape)))], np.float64).reshape(shape) / 2

    def add(self, ours: Any, theirs: Any, model: Model) -> int:
        self.ours.append(ours)
        self.theirs.append(theirs)
        self.model.append(model)
        return len(self.ours) - 1

    def fail(self, what: str) -> None:
        raise DisagreementError("\n".join([*self.lines, what]))

    def new(self, requires_grad: bool) -> None:
        shape = self.pick(SHAPES)
        numbers = self.numbers(shape)
        mine = tg.tensor(numbers, requires_grad=requires_grad)
        theirs, value = (torch.tensor(numbers, requires_grad=requires_grad) for _ in range(2))
        number = self.add(mine, theirs, Model.of(value, leaf=value if requires_grad else None))
        if requires_grad:
            self.leaves.append(number)
        self.lines.append(f"t{number} = tensor({numbers.tolist()}, requires_grad={requires_grad})")

    def both(self, line: str, act: Callable[[list[Any], Any], Any], record: bool, writes: bool = False) -> Any:
        """Run a line here and in torch; None where both refuse it."""
        found, errors = [], []
        for m, tensors in ((tg, self.ours), (torch, self.theirs)):
            if m is torch and self.torch_left:
                found.append(None)
                errors.append(errors[0])
                continue
            if m is torch and writes:
                # Torch takes a view of a tensor that became part of a graph for a leaf until somebody looks.
                for x in tensors:
                    with suppress(RuntimeError):
                        x.grad_fn
            with m.enable_grad() if record else m.no_grad():
                try:
                    found.append(act(tensors, m))
                    errors.append(None)
                except (RuntimeError, ValueError, TypeError, IndexError) as error:
                    found.append(None)
                    errors.append(error)
        self.lines.append(f"{line}{'' if record else '    # under no_grad'}")
        mine, theirs = errors
        reasons = [*ONLY_TORCH, *["created in no_grad mode"] * self.torch_sees_more()]
        if theirs is not None and mine is None and any(reason in str(theirs) for reason in reasons):
            self.torch_left = True
            self.lines.append(f"# only torch refuses: {str(theirs)[:80]}")
        elif theirs is None and "was expanded" in str(mine) and line.startswith(self.expanded()):
            self.torch_left = True  # torch refuses some writes into expanded tensors, and warns at others
        elif (mine is None) != (theirs is None):
            self.fail(f"here: {mine!r}\ntorch: {theirs!r}")
        if mine is not None:
            self.refused += 1
            self.lines[-1] += "    # refused"
            return None
        self.torch_misled |= writes and self.unwatched
        self.unwatched |= line.endswith(".data")
        return found[0], found[1]

    def torch_sees_more(self) -> bool:
        """Whether torch says of a view made under no_grad that it requires grad, which the view's base does."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return not self.torch_left and any(mine.requires_grad != theirs.requires_grad for mine, theirs in pairs)

    def expanded(self) -> tuple[str, ...]:
        """How lines begin that write to several elements in one place."""
        repeated = (i for i, model in enumerate(self.model) if model.at.unique().numel() < model.at.numel())
        return tuple(f"t{i}{mark}" for i in repeated for mark in ".[")

    # What a line can be

    def view(self, record: bool) -> None:
        i = self.choose(len(self.ours))
        shape = tuple(self.model[i].at.shape)
        looks: list[tuple[str, Callable[[Any], Any]]] = [
            ("[...]", lambda x: x[...]), (".reshape(-1)", lambda x: x.reshape(-1)),
            (".unsqueeze(0)", lambda x: x.unsqueeze(0)),
            (".squeeze()", lambda x: x.squeeze()), (".view(-1)", lambda x: x.view(-1)), ("[None]", lambda x: x[None]),
            (".expand(2, ...)", lambda x: x.expand(2, *shape)), (".flatten()", lambda x: x.flatten()),
        ]  # fmt: skip
        if shape and shape[0]:
            k, n = self.choose(shape[0]), self.choose(shape[0]) + 1
            looks += [
                (f"[{k}]", lambda x: x[k]), (f"[{k}:]", lambda x: x[k:]), (f"[:{n}]", lambda x: x[:n]),
                ("[::2]", lambda x: x[::2]),
                (f".select(0, {k})", lambda x: x.select(0, k)), (f".narrow(0, 0, {n})", lambda x: x.narrow(0, 0, n)),
                (".chunk(2)[0]", lambda x: x.chunk(2)[0]), (".split(1)[0]", lambda x: x.split(1)[0]),
                (".unbind()[-1]", lambda x: x.unbind()[-1]), (".tensor_split(2)[0]", lambda x: x.tensor_split(2)[0]),
                ("[[0, -1]]", lambda x: x[[0, -1]]), ("[..., 0]", lambda x: x[..., 0]),
                (f"[..., {k}:{n}]", lambda x: x[..., k:n]),
                (".clone()", lambda x: x.clone()), (".contiguous()", lambda x: x.contiguous()),
            ]  # fmt: skip
        if len(shape) > 1:
            looks += [
                (".T", lambda x: x.permute(*range(len(shape))[::-1])),
                (".transpose(0, 1)", lambda x: x.transpose(0, 1)),
                (".diagonal()", lambda x: x.diagonal()), (".mT", lambda x: x.mT), ("[:, 0]", lambda x: x[:, 0]),
                (".flatten(0, 1)", lambda x: x.flatten(0, 1)),
                (".reshape(shape[::-1])", lambda x: x.reshape(shape[::-1])),
            ]  # fmt: skip
        name, look = self.pick(looks)
        self.made(f"t{i}{name}", lambda tensors, m: look(tensors[i]), lambda: self.model[i].view(look), record)

    def made(self, line: str, act: Any, model: Callable[[], Model], record: bool) -> None:
        number = len(self.ours)
        found = self.both(f"t{number} = {line}", act, record)
        if found is not None:
            with torch.set_grad_enabled(record):
                self.add(*found, model())

    def cut(self, record: bool) -> None:
        i = self.choose(len(self.ours))
        name, cut = self.pick([(".detach()", lambda x: x.detach())] * 3 + [(".data", lambda x: x.data)])
        self.made(f"t{i}{name}", lambda tensors, m: cut(tensors[i]), lambda: self.model[i].detach(), record)

    def computed(self, record: bool) -> None:
        i, j = self.choose(len(self.ours)), self.choose(len(self.ours))
        # Of tensors that lie differently in memory, torch's result lies like the first, and NumPy's row by row.
        if (self.model[i].at.shape, self.model[i].at.stride()) != (self.model[j].at.shape, self.model[j].at.stride()):
            j = i
        name, f = self.pick([("*", lambda a, b: a * b), ("+", lambda a, b: a + b), ("- 2 *", lambda a, b: a - 2 * b)])

        def model() -> Model:
            layout = self.model[i].at + self.model[j].at
            return Model.of(f(self.model[i].value, self.model[j].value), layout)

        self.made(f"t{i} {name} t{j}", lambda tensors, m: f(tensors[i], tensors[j]), model, record)

    def write(self, record: bool) -> None:
        i, j = self.choose(len(self.ours)), self.choose(len(self.ours))
        shape, other = self.model[i].at.shape, self.model[j].at.shape
        number = (self.choose(5) - 2) / 2
        fits = len(other) <= len(shape) and all(n in (1, m) for n, m in zip(other[::-1], shape[::-1], strict=False))
        if not fits and self.choose(4):
            j = i
        writes: list[tuple[str, Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = [
            (f".fill_({number})", lambda x, y: x.fill_(number), lambda v, y: torch.full_like(v, number)),
            (".zero_()", lambda x, y: x.zero_(), lambda v, y: torch.zeros_like(v)),
            (f".mul_({number})", lambda x, y: x.mul_(number), lambda v, y: v * number),
            (".neg_()", lambda x, y: x.neg_(), lambda v, y: -v),
            (f".add_(t{j})", lambda x, y: x.add_(y), lambda v, y: v + y),
            (f".sub_(t{j}, alpha=2)", lambda x, y: x.sub_(y, alpha=2), lambda v, y: v - 2 * y),
            (f".mul_(t{j})", lambda x, y: x.mul_(y), lambda v, y: v * y),
            (f".copy_(t{j})", lambda x, y: x.copy_(y), lambda v, y: y.expand(v.shape)),
            (".clamp_(-1, 1)", lambda x, y: x.clamp_(-1, 1), lambda v, y: v.clamp(-1, 1)),
            ("[x > 0] = 0", lambda x, y: x.masked_fill_(x > 0, 0), lambda v, y: v.masked_fill(v > 0, 0)),
            ("[...] = t" + str(j), lambda x, y: x.__setitem__(..., y),
             lambda v, y: y.reshape(y.shape[max(0, y.dim() - v.dim()) :]).expand(v.shape)),
        ]  # fmt: skip
        name, act, value = self.pick(writes)

        def run(tensors: list[Any], m: Any) -> None:
            act(tensors[i], tensors[j])

        if self.both(f"t{i}{name}", run, record, True) is not None:
            with torch.set_grad_enabled(record):
                new = value(self.model[i].value, self.model[j].value)
                if record and self.model[i].value.requires_grad and not new.requires_grad:
                    new = new + 0 * self.model[i].value
                self.model[i].store(new)
            # Where source and target partly overlap, torch refuses or computes something.
            self.torch_left |= f"t{j}" in name and self.overlap(i, j)

    def overlap(self, i: int, j: int) -> bool:
        one, other = self.model[i], self.model[j]
        if one.owner.memory is not other.owner.memory:
            return False
        first, second = (x.owner.places.reshape(-1)[x.at] for x in (one, other))
        return not torch.equal(first, second) and bool(np.isin(first.numpy(), second.numpy()).any())

    def augmented(self, record: bool) -> None:
        """`x[k] += y`, `x[mask] += y` and the like."""
        i, number = self.choose(len(self.ours)), (self.choose(5) - 2) / 2
        shape = self.model[i].at.shape
        if not len(shape) or not shape[0]:
            return
        k = self.choose(shape[0])
        # Of several values for one element one counts, and torch gives the gradient to all.
        index = self.pick([k, slice(k, None), [0, -1] if shape[0] > 1 else [0], slice(None, None, 2), (..., 0), "mask"])

        def run(tensors: list[Any], m: Any) -> None:
            x = tensors[i]
            at = x > 0 if index == "mask" else index
            x[at] += number

        if self.both(f"t{i}[{index}] += {number}", run, record, True) is not None:
            with torch.set_grad_enabled(record):
                x = self.model[i].value
                at = x > 0 if index == "mask" else index
                chosen = torch.zeros(shape, dtype=torch.bool)
                chosen[at] = True
                Model(self.model[i].owner, self.model[i].at[chosen]).store(x[chosen] + number)

    def shared(self, record: bool) -> None:
        i, j = self.choose(len(self.ours)), self.choose(len(self.ours))
        if i == j or self.model[i].at.shape != self.model[j].at.shape or self.model[i].at is self.model[j].at:
            return

        def run(tensors: list[Any], m: Any) -> None:
            tensors[i].data = tensors[j]

        if self.both(f"t{i}.data = t{j}", run, record, True) is not None:
            self.model[i].share(self.model[j])

    def step(self) -> None:
        record = bool(self.choose(4))
        kinds = (
            [self.view] * 5
            + [self.write] * 5
            + [self.computed, self.computed, self.cut, self.augmented, self.augmented]
        )
        self.pick(kinds)(record)
        self.compare()

    def compare(self) -> None:
        for i, (mine, model) in enumerate(zip(self.ours, self.model, strict=True)):
            expected = model.owner.memory.numbers[model.owner.places.reshape(-1)[model.at]].numpy()
            if not np.array_equal(np.asarray(mine.tolist()), expected.reshape(np.shape(mine.tolist()))):
                self.fail(f"t{i} is {mine.tolist()}, and should be {expected.tolist()}")
            if mine.requires_grad != model.value.requires_grad:
                self.fail(f"t{i}.requires_grad is {mine.requires_grad}")
            if not self.torch_left and not self.theirs[i]._is_view():
                # To torch, a view made under no_grad requires grad if its base does, and so does what follows from it.
                self.torch_left = self.theirs[i].requires_grad != mine.requires_grad
            if not self.torch_left and self.theirs[i].detach().tolist() != expected.tolist():
                self.fail(f"t{i} is {expected.tolist()} in the model, and {self.theirs[i].tolist()} in torch")

    def gradients(self) -> None:
        """Compare first and second derivatives of a sum over all that depends on the leaves."""
        weights = [self.numbers(tuple(model.at.shape)) for model in self.model]
        chosen = [i for i, model in enumerate(self.model) if model.value.requires_grad]
        if not chosen:
            return
        self.lines.append(f"loss = the sum of {', '.join(f't{i}' for i in chosen)}, weighted and squared")
        results: list[Any] = []
        lanes: list[tuple[Any, Any, Any]] = [
            (torch, lambda i: self.model[i].value, [self.model[i].owner.leaf for i in self.leaves]),
            (tg, lambda i: self.ours[i], [self.ours[i] for i in self.leaves]),
        ]
        if not self.torch_left and not self.torch_misled:
            lanes.append((torch, lambda i: self.theirs[i], [self.theirs[i] for i in self.leaves]))
        for m, tensor, leaves in lanes:
            try:
                loss = sum((tensor(i) * m.tensor(weights[i])).sum() + (tensor(i) * tensor(i)).sum() for i in chosen)
                first = m.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
                slopes = [g for g in first if g is not None and g.requires_grad]
                second = [None] * len(leaves)
                if slopes:
                    second = m.autograd.grad(sum((g * g).sum() for g in slopes), leaves, allow_unused=True)
                results.append([None if g is None else np.asarray(g.tolist()) for g in (*first, *second)])
            except RuntimeError as error:
                if len(results) < 2 or not any(reason in str(error) for reason in ONLY_TORCH):
                    self.fail(f"{m.__name__}: {error!r}")
                self.torch_left = True
        for other in results[1:]:
            for g, expected in zip(other, results[0], strict=True):
                g, expected = (0.0 if x is None else x for x in (g, expected))
                if not np.allclose(g, expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected).max())):
                    self.fail(f"gradients here, and in torch, should be the model's:\n{results[1:]}\n{results[0]}")


def check(choose: Choose) -> Run:
    """Run one program.

    Raises:
        DisagreementError: where it does something else than torch, or than the model.
    """
    run = Run(choose)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(1 + choose(3)):
            run.new(requires_grad=k == 0 or bool(choose(2)))
        for _ in range(3 + choose(12)):
            run.step()
        run.gradients()
    return run


def main() -> None:
    """Run programs from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    start = time.perf_counter()
    for number in range(options.seed, options.seed + options.count):
        try:
            run = check(random.Random(number).randrange)
        except AssertionError:
            print(f"program {number}:")
            raise
        seen["lines"] += len(run.lines)
        seen["refused by both"] += run.refused
        seen["programs that torch alone refuses"] += run.torch_left
    seconds = time.perf_counter() - start
    print(f"{options.count} programs from seed {options.seed} on agree ({seconds:.0f} s): {dict(seen)}")


if __name__ == "__main__":
    main()
