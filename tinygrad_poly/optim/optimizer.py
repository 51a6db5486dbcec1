"""The base of all optimizers: groups of parameters with options, and a state for each parameter."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from tinygrad_poly.creation import zeros_like
from tinygrad_poly.engine.apply import wrap
from tinygrad_poly.engine.arrays import Array, namespace
from tinygrad_poly.engine.errors import DtypeError, GraphError
from tinygrad_poly.engine.recording import enable_grad
from tinygrad_poly.optim.tabled import REQUIRED, Tabled
from tinygrad_poly.tensor import Tensor

Group = dict[str, Any]
Params = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Group]
Closure = Callable[[], Any]


TORCHS = ("foreach", "fused", "capturable", "differentiable")
"""Torch's options for how to compute a step, accepted where they do not change the result."""


class Optimizer:
    """The base class of optimizers, which change parameters by their gradients: `zero_grad()`, `backward()`, `step()`.

    A subclass defines `_update(group)`, or `step` as one would for torch.

    Args:
        params: leaves to update, with or without names, `[w, b]` or `[("w", w), ("b", b)]`; or groups of them: dicts
            with "params" and the options that differ from the defaults, such as
            `[{"params": [w]}, {"params": [b], "lr": 0.1}]`.
        defaults: the options of groups that do not say otherwise.

    Attributes:
        param_groups: the groups, each with all options. Changing `group["lr"]` changes the next step.
        state: what is remembered between steps, for each parameter.
    """

    needs_closure = False
    """Whether `step` evaluates the loss itself."""

    @property
    def is_plain_descent(self) -> bool:
        """Whether a step is w ← w − lr · ∂L/∂w for every weight, with one lr, and nothing more.

        Of such steps everything can be foretold (`fitting.Verdict`). An optimizer of your own is not taken for one
        unless it says so.
        """
        return False

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise DtypeError("an optimizer takes a list of parameters: write [w] instead of w")
        if isinstance(params, (Mapping, set, frozenset)):
            raise DtypeError(
                f"an optimizer takes a list of parameters, in an order that stays the same, not a "
                f"{type(params).__name__}"
            )
        given: list[Any] = list(params)
        if not given:
            raise ValueError("an optimizer needs at least one parameter, and was given none: the list is empty")
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters to update, with their own options.

        Raises:
            DtypeError: for what is no tensor.
            GraphError: for a tensor that was computed, and will never have a gradient.
            ValueError: for a parameter that is already there, or an option that makes no sense.
        """
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise DtypeError(f"a group of parameters is a dict with a key 'params', not {param_group!r:.60}")
        params = param_group["params"]
        group = self.defaults | param_group | _with_names([params] if isinstance(params, Tensor) else list(params))
        known = {p for other in self.param_groups for p in other["params"]}
        for position, p in enumerate(group["params"]):
            self._check_parameter(position, p)
            if p in known:
                raise ValueError(f"parameter {position}, of shape {p.array.shape}, is in the optimizer twice")
            known.add(p)
        self._check(group)
        self.param_groups.append(group)

    @staticmethod
    def _check_parameter(position: int, p: Any) -> None:
        if not isinstance(p, Tensor):
            raise DtypeError(f"parameter {position} is not a tensor but {type(p).__name__}")
        if not p.is_leaf:
            raise GraphError(
                f"parameter {position} was computed from other tensors, so it will never get a gradient: "
                "detach it and call requires_grad_()"
            )

    def _check(self, group: Group) -> None:
        """Check the options of a group, and convert numbers of array libraries to Python's, which never promote."""
        not_negative(group, "lr", "weight_decay")

    @property
    def lr(self) -> float:
        """The learning rate, if all groups have the same; setting it changes it in all groups.

        Raises:
            ValueError: where groups differ; ask `param_groups` then.
        """
        rates = {group["lr"] for group in self.param_groups}
        if len(rates) > 1:
            raise ValueError(f"the groups have different learning rates, {sorted(rates)}: see param_groups")
        return float(rates.pop())

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.param_groups:
            group["lr"] = in_range(value, "lr", 0, math.inf, "must be 0 or more")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients to None, so that the next `backward` does not add to them."""
        for group in self.param_groups:
            for p in group["params"]:
                node = p.node
                if node is not None and node.grad is not None:
                    node.grad = None if set_to_none else wrap(namespace(p.array).zeros_like(p.array), None)

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss anew, calls `backward` on it and returns it; called before the update.

        Returns:
            What `closure` returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._update(group)
        return loss

    def _update(self, group: Group) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define step()")

    def state_dict(self) -> dict[str, Any]:
        """The state from which a later run goes on as this one would; parameters are numbered in order.

        Later steps do not change what was returned.
        """
        numbers = {p: i for i, p in enumerate(self._parameters())}
        groups = [{**group, "params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[p]: _copied(state) for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            ValueError: where it is for other groups of parameters; nothing is changed then.
        """
        if not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError(f"the state of an optimizer has 'state' and 'param_groups', not {sorted(state_dict)}")
        groups = state_dict["param_groups"]
        have, found = ([len(group["params"]) for group in some] for some in (self.param_groups, groups))
        if have != found:
            raise ValueError(f"the state is for groups of {found} parameters, and the optimizer's have {have}")
        numbers = [number for group in groups for number in group["params"]]
        new = [{**self.defaults, **group, "params": own["params"]} for group, own in zip(groups, self.param_groups)]
        for group in new:
            self._check(group)
        self.param_groups = new
        self.state.clear()
        for number, p in zip(numbers, self._parameters(), strict=True):
            if number in state_dict["state"]:
                self.state[p] = _copied(state_dict["state"][number], p)

    def snapshot(self) -> Any:
        """The data that `go_back` needs to undo the steps after it; cheap enough to take before each step."""
        if type(self).state_dict is not Optimizer.state_dict:
            return self.state_dict()
        state = [(p, values.copy(), [*map(_content, values.values())]) for p, values in self.state.items()]
        return [group.copy() for group in self.param_groups], state

    def go_back(self, snapshot: Any) -> None:
        """Undo all steps since a `snapshot`, except for the weights."""
        if isinstance(snapshot, dict):
            return self.load_state_dict(snapshot)
        groups, state = snapshot
        self.param_groups[:] = [group.copy() for group in groups]
        self.state.clear()
        for p, values, contents in state:
            items = zip(values.items(), contents, strict=True)
            self.state[p] = {k: wrap(c, None) if isinstance(v, Tensor) else _copied(c) for (k, v), c in items}

    def _parameters(self) -> Iterator[Tensor]:
        for group in self.param_groups:
            yield from group["params"]

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


class TabledOptimizer(Tabled, Optimizer):
    """The base of optimizers that name their options in tables."""

    options: ClassVar[dict[str, Any]] = {}
    named: ClassVar[dict[str, Any]] = {"maximize": False}
    """Those that are given by name only."""
    fixed: ClassVar[dict[str, Any]] = {}
    """Those that nobody can give."""

    @classmethod
    def _table(cls) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"params": REQUIRED} | cls.options, cls.named | (dict.fromkeys(TORCHS) if cls.named else {})

    def _made(self, options: dict[str, Any]) -> None:
        for name in TORCHS:
            if value := options.pop(name, None):
                raise ValueError(
                    f"{name}={value!r} asks for another way to take a step, and there is one here: leave it out"
                )
        Optimizer.__init__(self, options.pop("params"), options | self.fixed)

    def _check(self, group: Group) -> None:
        check_betas(group)
        not_negative(group, *(name for name, default in self.options.items() if type(default) in (int, float)))
        self._check_limits(group)

    def _at_next_step(self, p: Tensor, arrays: Iterable[str], fill: float = 0, **numbers: float) -> dict[str, Any]:
        """The state of a parameter, with its steps counted; it begins with arrays full of one number, and numbers."""
        state = self.state[p]
        if not state:
            state.update({"step": 0} | numbers | {name: zeros_like(p) + fill for name in arrays})
        state["step"] += 1
        return state


def _copied(value: Any, parameter: Tensor | None = None) -> Any:
    """A copy of dicts and lists, with tensors in the dtype and place of `parameter`; their arrays need no copy."""
    if isinstance(value, dict):
        return {key: _copied(item, parameter) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item, parameter) for item in value]
    if isinstance(value, Tensor):
        return wrap(value.array, None) if parameter is None else wrap(value.array, None).to(parameter)
    return value


def _content(value: Any) -> Any:
    """The part of a state's value that a step may change: a tensor's array, or the contents of a list or dict."""
    return value.array if isinstance(value, Tensor) else _copied(value)


def rate(group: Group) -> Any:
    """The learning rate of a group: a number, or a traced number of a program that takes its rate as an input."""
    lr = group["lr"]
    return lr if type(lr) is float or hasattr(lr, "weak") else float(lr)


def gradients(group: Group) -> Iterator[tuple[Tensor, Array]]:
    """The parameters of a group that have a gradient, each with its direction of ascent.

    That is the gradient of L + ½ weight_decay · w², or of −L where the group maximizes; of L or −L alone where the
    decay is decoupled from it.
    """
    weight_decay = 0 if group.get("decoupled_weight_decay") else group.get("weight_decay")
    for p in group["params"]:
        node = p.node
        if node is None or node.grad is None:
            continue
        g = -node.grad.array if group["maximize"] else node.grad.array
        yield p, g + weight_decay * p.array if weight_decay else g


def chosen(condition: Any, a: Any, b: Any) -> Any:
    """The number `a` if the condition holds, else `b`; in a trace, where it is not known, both and the choice."""
    if isinstance(condition, bool):
        return a if condition else b
    return namespace(condition).where(condition, a, b)


def _with_names(params: list[Any]) -> Group:
    """Parameters and their names, if each comes with one: `("w", w)`, as from `named_parameters()`."""
    if not any(isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in params):
        return {"params": params}
    if not all(isinstance(p, tuple) and len(p) == 2 for p in params):
        raise ValueError("either all parameters of a group have names, as in ('w', w), or none")
    return {"params": [p for _, p in params], "param_names": [name for name, _ in params]}


def not_negative(group: Group, *names: str) -> None:
    """Convert these options to Python numbers, and check that they are not negative.

    Raises:
        ValueError: for one that is negative, infinite or NaN.
    """
    for name in names:
        if name in group:
            group[name] = in_range(group[name], name, 0, math.inf, "must be 0 or more")


def check_betas(group: Group) -> None:
    """Convert β₁ and β₂, if the group has them, to Python numbers from 0 to below 1.

    Raises:
        ValueError: for one that is out of range.
    """
    if "betas" in group:
        first, second = group["betas"]
        wanted = "must be from 0 to below 1"
        group["betas"] = (in_range(first, "betas[0]", 0, 1, wanted), in_range(second, "betas[1]", 0, 1, wanted))


def in_range(value: Any, name: str, low: float, end: float, wanted: str) -> float:
    """The value as a Python number, which has to lie in a range.

    Raises:
        DtypeError: for what is no number.
        ValueError: unless low ≤ value < end; `wanted` says so in words.
    """
    what = "the learning rate" if name == "lr" else name
    try:
        found = value if type(value) is int else float(value)
    except (TypeError, ValueError):
        found = None
    if found is None or isinstance(value, str | bytes):
        raise DtypeError(f"{what} must be a number, not {value!r}")
    if not low <= found < end:
        raise ValueError(f"{what} {wanted}, not {value}")
    return found
