"""Names of nodes, as a program prints them: torch's, for every row that torch computes as one node too."""

import numpy as np
import pytest
import torch

import tinygrad_poly as tg

from ..helpers import leaf, ours, theirs
from .cases.table import CASES
from .page import rows

# What torch computes with several nodes, or has no function for.
OWN = """
Einsum binary_cross_entropy binary_cross_entropy_with_logits cbrt cofactors cofactors_along completed lower_half
on_diagonal one_minus_square
pick pinv place polyval power_log recurrence shift vander windows
"""


def names(case):
    """The names of the nodes that a case ends in, ours and torch's."""
    shapes = case.shapes[0]
    inputs = case.inputs(np.random.default_rng(0), shapes)
    mine = case.call(tg, *[ours(x, "float64") for x in inputs])
    reference = (case.torch_call or case.call)(torch, *[theirs(x, "float64") for x in inputs])
    return mine.node and mine.node.name(), reference.grad_fn and reference.grad_fn.name()


def test_a_node_of_every_row_has_torchs_name_where_torch_has_one_node():
    differing = set()
    for family, cases in CASES.items():
        label = {id(row): name for name, row in rows(family).items()}
        for row in {id(case.row): case.row for case in cases}.values():
            found = [names(case) for case in cases if case.row is row]
            if not any(mine == reference for mine, reference in found):
                differing.add(label.get(id(row), row.name))
    assert differing == set(OWN.split())


CALLS = {
    "x.sum()": lambda m, x: x.sum(),
    "x.sum(0)": lambda m, x: x.sum(0),
    "x.mean()": lambda m, x: x.mean(),
    "x.mean(1)": lambda m, x: x.mean(1),
    "x.prod(1)": lambda m, x: x.prod(1),
    "x.max()": lambda m, x: x.max(),
    "x ** 2": lambda m, x: x**2,
    "x ** x": lambda m, x: x**x,
    "x % 2": lambda m, x: x % 2,
    "x % x": lambda m, x: x % x,
    "x @ x": lambda m, x: x @ x,
    "x @ row": lambda m, x: x @ x[0],
    "row @ row": lambda m, x: x[0] @ x[0],
    "x[0]": lambda m, x: x[0],
    "x[:, 0]": lambda m, x: x[:, 0],
    "x[1:]": lambda m, x: x[1:],
    "x[..., 1:]": lambda m, x: x[..., 1:],
    "x[None]": lambda m, x: x[None],
    "x[[0, 1]]": lambda m, x: x[[0, 1]],
    "x[[0], 1:]": lambda m, x: x[[0], 1:],
    "x.clamp(0, 1)": lambda m, x: x.clamp(0, 1),
    "x.clamp(min=x)": lambda m, x: x.clamp(min=x),
    "linear": lambda m, x: m.nn.functional.linear(x, x, x[0]),
    "mse_loss": lambda m, x: m.nn.functional.mse_loss(x, x),
    "softmax": lambda m, x: x.softmax(1),
    "view": lambda m, x: x.view(4),
    "x.T": lambda m, x: x.T,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_names_depend_on_arguments_as_torchs_do(call):
    mine, reference = (call(m, leaf(m, [[1.0, 2.0], [3.0, 4.0]])) for m in (tg, torch))
    assert mine.grad_fn.name() == reference.grad_fn.name()
