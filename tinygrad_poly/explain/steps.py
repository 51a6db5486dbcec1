"""The backward pass step by step: as a table, and as a page for a browser."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import Any

from tinygrad_poly.engine.errors import GraphError
from tinygrad_poly.explain import drawing
from tinygrad_poly.explain.backward import Step, backward
from tinygrad_poly.explain.graph import Graph, graph
from tinygrad_poly.explain.live import described
from tinygrad_poly.explain.pages import page
from tinygrad_poly.explain.recording import Recording
from tinygrad_poly.explain.words import brief, columns
from tinygrad_poly.tensor import Tensor

MOST_ON_A_PAGE = 1000
"""How many values a page may step through."""


class Steps(list[Step]):
    """The steps of a backward pass, in the order in which the engine takes them; `str(steps)` is a table."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(backward(graph))
        gradients = {step.vertex: step.gradient for step in self}
        vertices = (replace(v, gradient=gradients.get(place)) for place, v in enumerate(graph.vertices))
        self.graph = Graph(tuple(vertices), graph.notes)

    def rows(self) -> list[tuple[str, ...]]:
        """The table's rows: the step, its value, what arrived, and for each input what is sent to it, and why."""
        vertices, rows = self.graph.vertices, list[tuple[str, ...]]()
        for count, step in enumerate(self, start=1):
            v = vertices[step.vertex]
            first = (str(count), f"{v.name} = {v.title}" if v.operation else v.name, brief(step.gradient))
            if not step.sent:
                rows.append((*first, "", "", "", ""))
            for s in step.sent:
                to = vertices[s.to]
                derivative = "" if s.derivative is None else brief(s.derivative, once=True)
                why = s.formula if derivative in ("", s.formula) else f"{s.formula} = {derivative}"
                so_far = "" if s.total is s.amount else brief(s.total)
                rows.append((*first, to.name, why, brief(s.amount), so_far))
                first = ("", "", "")
        return rows

    def to_html(self, title: str = "A backward pass, step by step") -> str:
        """One page for a browser that shows the steps in the picture of the graph, and loads nothing else.

        Where the browser has a program for the computation, each weight has a slider, and all numbers follow it.

        Raises:
            GraphError: for so many steps that nobody could take them.
        """
        if len(self.graph.vertices) > MOST_ON_A_PAGE:
            raise GraphError(
                f"a page with {len(self.graph.vertices):,} values cannot be looked at, {MOST_ON_A_PAGE:,} can: "
                "explain one step, or a part, of the computation; graph(…).to_svg() folds the whole of it"
            )
        found = described(self.graph, self)
        run, found["run"] = found["run"], bool(found["run"])
        return page("steps.html", title, drawing.svg(self.graph), run, found)

    def _repr_html_(self) -> str:
        return f'<iframe style="width: 100%; height: 90vh; border: 0" srcdoc="{escape(self.to_html())}"></iframe>'

    def __str__(self) -> str:
        head = ("step", "at", "gradient", "to", "local derivative", "sends", "together")
        return "\n".join(columns([head, *self.rows()]))


def steps(what: Tensor | Callable[..., Any], *arguments: Any, recording: Recording | None = None) -> Steps:
    """The steps of the backward pass from a tensor, or from what a function returns.

    Args:
        what: a tensor with one element, or a function that returns one.
        arguments: what the function is called with; those that require grad get one.
        recording: in which the tensor was computed.

    Raises:
        GraphError: where there is nothing to walk back from, or values that are needed were freed by `backward()`.

    >>> import tinygrad_poly as tg
    >>> a = tg.tensor(2.0, requires_grad=True)
    >>> b = a + a
    >>> c = b + b
    >>> print(steps(c))
    step  at         gradient  to  local derivative  sends  together
    1     c = b + b  1         b   1                 1
                               b   1                 1      2
    2     b = a + a  2         a   1                 2
                               a   1                 2      4
    3     a          4
    """
    result: Any = what
    if not isinstance(what, Tensor) and callable(what):
        with Recording() as recording:
            result = what(*arguments)
        with suppress(ValueError, TypeError):  # some functions do not tell their parameters
            recording.name(inspect.signature(what).bind(*arguments).arguments)
    if isinstance(result, Tensor) and result.numel() != 1:
        raise GraphError(f"a backward pass starts from one number, not from shape {result.shape}: sum() or mean() it")
    return Steps(graph(result, recording))
