"""The state of a running fit: what is minimized, what changes, and the losses so far."""

from dataclasses import dataclass, field
from typing import Any

from tinygrad_poly.cuda import OutOfMemoryError
from tinygrad_poly.engine.errors import BlockError
from tinygrad_poly.fitting.loops.interrupt import Interrupt
from tinygrad_poly.fitting.modules import ModuleLoss
from tinygrad_poly.fitting.objective import Objective, Weights, leaves
from tinygrad_poly.fitting.progress import Report, nothing
from tinygrad_poly.fitting.schedule import Schedule


@dataclass(frozen=True)
class End:
    """The end of a loop: where, and why."""

    step: int
    """How many steps are complete, with a finite loss at the weights that they led to."""
    interrupted: bool = False
    diverged: bool = False
    failed: BlockError | OutOfMemoryError | None = None
    """Why the data could not be read any further, where it is elsewhere."""
    last_loss: float | None = None
    """The loss after `step` steps where the fit diverged in the next; None if there was no finite one."""


Mark = tuple[int, list[Any], Any, list[Any]]
"""How many steps are complete, the weights' arrays then, what an optimizer needs to go back, and a module's buffers."""


@dataclass
class State:
    """All that a loop needs: it takes the `steps`, changes weights and optimizer, and fills in `losses`."""

    target: Objective
    weights: Weights
    optimizer: Any
    steps: range
    log_every: int = 1
    losses: dict[int, float] = field(default_factory=dict)
    """The losses so far of each `log_every`-th step."""
    report: Report = nothing
    """What is told of each of these losses, once."""
    interrupt: Interrupt = field(default_factory=Interrupt)
    reported: int = -1
    """The last step that was reported: steps that are taken again are not reported again."""
    schedule: Schedule | None = None
    """The learning rates of the steps, where they change."""

    def __post_init__(self) -> None:
        self._tensors = list(self.weights.values())
        self._buffers = self.target.loss.places() if isinstance(self.target.loss, ModuleLoss) else []
        self._snapshot = getattr(self.optimizer, "snapshot", None) or self.optimizer.state_dict
        self._go_back = getattr(self.optimizer, "go_back", None) or self.optimizer.load_state_dict

    def mark(self, t: int) -> Mark:
        """The data that `go_back` needs to return here, where `t` steps are complete.

        Arrays are never written into, so holding on to them is a snapshot that costs nothing.
        """
        buffers = [(holder, name, holder[name], holder[name].array) for holder, name in self._buffers]
        return t, [w.array for w in self._tensors], self._snapshot(), buffers

    def go_back(self, mark: Mark) -> int:
        """Reset weights and optimizer to a mark; returns the number of steps that were complete there."""
        step, arrays, snapshot, buffers = mark
        for holder, name, tensor, array in buffers:
            holder[name], tensor.array = tensor, array
        for tensor, array in zip(self._tensors, arrays, strict=True):
            tensor.array = array
        self._go_back(snapshot)
        return step

    def led_to(self) -> Any:
        """The loss that the last step led to, as an array; a module's buffers stay as that step left them."""
        return self.target(leaves(self.weights) if self._buffers else self.weights).array

    def note(self, t: int, loss: float) -> None:
        """Store the loss of a step, and report it unless it has been reported before."""
        self.losses[t] = loss
        if t > self.reported:
            self.reported = t
            self.report(t, loss)
