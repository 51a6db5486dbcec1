"""Groups of parameters with options of their own, and the states of optimizers."""

import json

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, GraphError
from tinygrad_poly.fitting import saved

from ..helpers import assert_like, both, leaf
from .choices import CHOICES, OPTIMIZERS


def test_groups_have_their_own_options_and_the_defaults():
    found = []
    for m in (tg, torch):
        w, b, c = leaf(m, [2.0, -4.0]), leaf(m, 8.0), leaf(m, [1.0])
        groups = [{"params": [w]}, {"params": b, "lr": 0.5, "momentum": 0.5}]
        optimizer = m.optim.SGD(groups, lr=0.25)
        optimizer.add_param_group({"params": [c], "weight_decay": 0.5})
        for _ in range(3):
            optimizer.zero_grad()
            (w * w + b * w + c).sum().backward()
            optimizer.step()
        # Powers of two: every step is exact.
        found.append([w, b, c])
        assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.5, 0.25]
        assert [group["momentum"] for group in optimizer.param_groups] == [0, 0.5, 0]
        assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1, 1]
    for mine, reference in zip(*found, strict=True):
        assert_like(mine, reference)


@both
def test_a_changed_learning_rate_counts_from_the_next_step(m):
    w = leaf(m, [1.0])
    optimizer = m.optim.SGD([w], lr=0.5)
    w.sum().backward()
    optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] *= 0.5
    optimizer.step()
    assert w.tolist() == [0.25]


@both
def test_a_step_returns_the_loss_of_its_closure(m):
    w = leaf(m, [3.0])
    optimizer = m.optim.SGD([w], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with m.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert w.tolist() == [0.0]
    assert optimizer.step() is None


@both
def test_an_optimizer_of_ones_own_is_written_as_for_torch(m):
    class Signs(m.optim.Optimizer):
        def __init__(self, params, lr=0.5):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        state = self.state[p]
                        state["count"] = state.get("count", 0) + 1
                        with m.no_grad():
                            p -= group["lr"] * p.grad

    w, unused = leaf(m, [2.0]), leaf(m, [1.0])
    optimizer = Signs([w, unused])
    (w * w).sum().backward()
    optimizer.step()
    assert (w.item(), unused.item()) == (0.0, 1.0)
    assert optimizer.state_dict() == {"state": {0: {"count": 1}}, "param_groups": [{"lr": 0.5, "params": [0, 1]}]}


def test_the_state_dict_is_torchs():
    found = []
    for m in (tg, torch):
        w, b = leaf(m, [1.0]), leaf(m, 2.0)
        optimizer = m.optim.SGD([{"params": [w]}, {"params": [b], "lr": 1.0}], lr=0.5, momentum=0.5)
        (w.sum() * b).backward()
        optimizer.step()
        found.append(optimizer.state_dict())
    mine, theirs = found
    assert {i: {k: v.tolist() for k, v in state.items()} for i, state in mine["state"].items()} == {
        i: {k: v.tolist() for k, v in state.items()} for i, state in theirs["state"].items()
    }
    for group, reference in zip(mine["param_groups"], theirs["param_groups"], strict=True):
        assert group.items() <= reference.items()


def test_a_state_dict_is_a_snapshot():
    w = leaf(tg, [1.0])
    optimizer = tg.optim.Adam([w], lr=0.5)
    w.sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    before = str(state)
    optimizer.step()
    optimizer.lr = 1.0
    assert str(state) == before


@pytest.mark.parametrize(("name", "options"), CHOICES, ids=str)
def test_states_survive_json(name, options):
    def closure():
        optimizer.zero_grad()
        loss = ((w - b) ** 2).sum()
        loss.backward()
        return loss

    # L-BFGS sees all parameters as one vector, of one dtype.
    dtype = tg.float64 if name == "LBFGS" else tg.float32
    w = tg.tensor([1 / 3, 2.0], dtype=dtype, requires_grad=True)
    b = tg.tensor(np.float64(0.1), requires_grad=True)
    optimizer = getattr(tg.optim, name)([w, b], **{"lr": 0.01} | options)
    for _ in range(3):
        optimizer.step(closure)
    state = optimizer.state_dict()
    back = saved._rich(json.loads(json.dumps(saved._plain(state))))
    other = getattr(tg.optim, name)([w, b], **{"lr": 0.5} | options)
    other.load_state_dict(back)
    assert str(other.state_dict()) == str(state)


@both
def test_a_loaded_state_takes_the_dtype_of_its_parameter(m):
    w = m.tensor([1.0], dtype=m.float64, requires_grad=True)
    optimizer = m.optim.SGD([w], lr=0.5, momentum=0.5)
    w.sum().backward()
    optimizer.step()
    other = m.optim.SGD([leaf(m, [1.0])], lr=0.1, momentum=0.5)
    other.load_state_dict(optimizer.state_dict())
    (state,) = other.state.values()
    assert state["momentum_buffer"].dtype == m.float32
    assert other.param_groups[0]["lr"] == 0.5


def test_the_learning_rate_of_equal_groups_is_one_number():
    optimizer = tg.optim.SGD([{"params": [leaf(tg, 1.0)]}, {"params": [leaf(tg, 1.0)]}], lr=0.5)
    assert optimizer.lr == 0.5
    optimizer.lr = np.float64(0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
    assert type(optimizer.param_groups[0]["lr"]) is float
    optimizer.param_groups[0]["lr"] = 1.0
    with pytest.raises(ValueError, match=r"\[0.25, 1.0\]: see param_groups"):
        optimizer.lr


@both
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_may_come_with_their_names(m, name):
    model = m.nn.Linear(2, 1)
    optimizer = getattr(m.optim, name)(model.named_parameters())
    assert optimizer.param_groups[0]["params"] == list(model.parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@both
def test_groups_may_have_names_too(m):
    w, b = leaf(m, [1.0]), leaf(m, 2.0)
    optimizer = m.optim.SGD([{"params": [("w", w)]}, {"params": [("b", b)], "lr": 1.0}], lr=0.5)
    assert [group["param_names"] for group in optimizer.param_groups] == [["w"], ["b"]]
    (w.sum() * b).backward()
    optimizer.step()
    assert (w.tolist(), b.item()) == ([0.0], 1.0)


@pytest.mark.parametrize(("name", "options"), CHOICES, ids=str)
def test_a_snapshot_undoes_steps_whatever_they_change(name, options):
    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    w = leaf(tg, [2.0, -1.0])
    optimizer = getattr(tg.optim, name)([w], **({"lr": 0.01} | options))
    for steps in (0, 2):
        for _ in range(steps):
            optimizer.step(closure)
        before, snapshot = str(optimizer.state_dict()), optimizer.snapshot()
        for _ in range(2):  # it can be gone back to more than once
            optimizer.step(closure)
            optimizer.param_groups[0]["lr"] = 0.5
            optimizer.go_back(snapshot)
            assert str(optimizer.state_dict()) == before


def test_a_snapshot_holds_what_is_changed_in_place():
    w = leaf(tg, [2.0, -1.0])
    optimizer = tg.optim.SGD([w])
    optimizer.state[w] = {"average": tg.tensor([1.0, 2.0]), "seen": [tg.tensor(1.0)], "counts": {"steps": 1}}
    before, snapshot, saved = str(optimizer.state_dict()), optimizer.snapshot(), optimizer.state_dict()
    for _ in range(2):
        state = optimizer.state[w]
        state["average"].array = state["average"].array * 2
        state["seen"].append(tg.tensor(2.0))
        state["seen"][0].array = state["seen"][0].array * 2
        state["counts"]["steps"] += 1
        assert str(saved) == before
        optimizer.go_back(snapshot)
        assert str(optimizer.state_dict()) == before


def test_a_snapshot_of_an_optimizer_with_a_state_of_its_own_holds_that():
    class Counting(tg.optim.SGD):
        count = 0

        def step(self):
            self.count += 1

        def state_dict(self):
            return super().state_dict() | {"count": self.count}

        def load_state_dict(self, state_dict):
            super().load_state_dict(state_dict)
            self.count = state_dict["count"]

    optimizer = Counting([leaf(tg, 1.0)])
    optimizer.step()
    snapshot = optimizer.snapshot()
    optimizer.step()
    optimizer.go_back(snapshot)
    assert optimizer.count == 1


def test_only_steps_that_are_nothing_but_descent_are_plain():
    class Clipping(tg.optim.SGD):
        def step(self, closure=None):
            tg.nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 1.0)
            return super().step(closure)

    class Plain(Clipping):
        is_plain_descent = True

    w = leaf(tg, [1.0])
    for name, options in CHOICES:
        optimizer = getattr(tg.optim, name)([w], **({"lr": 0.01} | options))
        assert optimizer.is_plain_descent == (name == "SGD" and not options)
    assert not Clipping([w]).is_plain_descent
    assert Plain([w]).is_plain_descent
    replaced = tg.optim.SGD([w])
    replaced.step = lambda: None
    assert not replaced.is_plain_descent
    assert not tg.optim.SGD([{"params": [w]}, {"params": [leaf(tg, 1.0)], "lr": 0.5}], lr=0.1).is_plain_descent
    assert tg.optim.SGD([{"params": [w]}, {"params": [leaf(tg, 1.0)]}], lr=0.1).is_plain_descent


# misuse


@both
def test_groups_that_make_no_sense_are_refused(m):
    w = leaf(m, [1.0])
    for groups, error in (
        ([{"params": [w]}, {"params": [w]}], ValueError),
        ([{"params": [w], "lr": 0.1}, w], TypeError),
    ):
        with pytest.raises(error):
            m.optim.SGD(groups, lr=0.1)


def test_refusals_name_the_parameter_and_the_group():
    w = leaf(tg, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"parameter 0, of shape \(2,\), is in the optimizer twice"):
        tg.optim.SGD([{"params": [w]}, {"params": [w]}])
    with pytest.raises(ValueError, match=r"parameter 1, .* twice"):
        tg.optim.SGD([w, w])
    with pytest.raises(DtypeError, match=r"a dict with a key 'params', not {'lr': 0\.1}"):
        tg.optim.SGD([{"lr": 0.1}])
    with pytest.raises(DtypeError, match="not a set"):
        tg.optim.SGD({w})
    with pytest.raises(DtypeError, match="not a dict"):
        tg.optim.SGD({"params": [w]})
    with pytest.raises(GraphError, match="detach"):
        tg.optim.SGD([w]).add_param_group({"params": w * 2})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SGD", {"lr": -0.1}, "the learning rate must be 0 or more, not -0.1"),
        ("SGD", {"lr": float("inf")}, "not inf"),
        ("SGD", {"momentum": -1}, "momentum must be 0 or more, not -1"),
        ("SGD", {"weight_decay": -1}, "weight_decay must be 0 or more, not -1"),
        ("SGD", {"nesterov": True}, "nesterov needs a momentum above 0 and no dampening, not momentum 0"),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "dampening 0.1"),
        ("Adam", {"lr": -1}, "not -1"),
        ("Adam", {"betas": (1.0, 0.9)}, r"betas\[0\] must be from 0 to below 1, not 1.0"),
        ("Adam", {"betas": (0.9, -0.1)}, r"betas\[1\] must be from 0 to below 1, not -0.1"),
        ("AdamW", {"eps": -1e-8}, "eps must be 0 or more, not -1e-08"),
        ("AdamW", {"weight_decay": float("nan")}, "not nan"),
        ("RMSprop", {"alpha": -1}, "alpha must be 0 or more"),
        ("RMSprop", {"momentum": -1}, "momentum must be 0 or more"),
        ("Adagrad", {"lr_decay": -1}, "lr_decay must be 0 or more"),
        ("Adagrad", {"initial_accumulator_value": -1}, "initial_accumulator_value must be 0 or more"),
        ("Adadelta", {"rho": 1.5}, "rho must be from 0 to 1, not 1.5"),
        ("Adadelta", {"rho": -1}, "rho must be 0 or more, not -1"),
        ("Adamax", {"betas": (1.0, 0.9)}, r"betas\[0\] must be from 0 to below 1, not 1.0"),
        ("NAdam", {"momentum_decay": -1}, "momentum_decay must be 0 or more, not -1"),
        ("RAdam", {"eps": -1}, "eps must be 0 or more, not -1"),
        ("Rprop", {"etas": (1.2, 0.5)}, "etas must be a number from 0 to 1 and one above 1, not 1.2 and 0.5"),
        ("LBFGS", {"max_iter": 0}, "max_iter must be 1 or more, not 0"),
        ("LBFGS", {"history_size": 0}, "history_size must be 1 or more"),
        ("LBFGS", {"line_search_fn": "armijo"}, "None or 'strong_wolfe', not 'armijo'"),
    ],
)
def test_options_out_of_range_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(tg.optim, name)([leaf(tg, 1.0)], **options)
    group = {"params": [leaf(tg, 1.0)], **options}
    with pytest.raises(ValueError, match=message):
        getattr(tg.optim, name)([group])


def test_a_state_for_other_parameters_is_refused_and_changes_nothing():
    optimizer = tg.optim.SGD([leaf(tg, 1.0), leaf(tg, 2.0)], lr=0.5)
    other = tg.optim.SGD([leaf(tg, 1.0)], lr=0.1)
    with pytest.raises(ValueError, match=r"groups of \[2\] parameters, and the optimizer's have \[1\]"):
        other.load_state_dict(optimizer.state_dict())
    with pytest.raises(ValueError, match=r"'state' and 'param_groups', not \['lr'\]"):
        other.load_state_dict({"lr": 0.5})
    state = other.state_dict()
    state["param_groups"][0]["lr"] = -1
    with pytest.raises(ValueError, match="-1"):
        other.load_state_dict(state)
    assert other.lr == 0.1


ASKED_FOR_NOTHING = dict.fromkeys(("foreach", "fused", "capturable", "differentiable"), (None, False))


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "LBFGS"])
def test_options_of_torchs_are_taken_where_they_ask_for_nothing(name):
    make = getattr(tg.optim, name)
    for option, values in ASKED_FOR_NOTHING.items():
        for value in values:
            make([leaf(tg, 1.0)], **{option: value})
        with pytest.raises(ValueError, match=f"{option}=True asks for another way to take a step"):
            make([leaf(tg, 1.0)], **{option: True})
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'momentun'"):
        make([leaf(tg, 1.0)], momentun=0.9)


@both
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_learning_rate_that_is_a_text_is_refused(m, name):
    with pytest.raises(TypeError):
        getattr(m.optim, name)([leaf(m, 1.0)], lr="1")


@pytest.mark.parametrize("option", ["momentum", "dampening", "weight_decay", "lr"])
@pytest.mark.parametrize("value", ["1", b"1", None, 1j, [0.5, 0.5]], ids=repr)
def test_options_that_are_no_numbers_are_named(option, value):
    with pytest.raises(DtypeError, match="must be a number, not "):
        tg.optim.SGD([leaf(tg, 1.0)], **{option: value})


def test_some_names_and_some_not_are_refused():
    with pytest.raises(ValueError, match="either all parameters of a group have names"):
        tg.optim.SGD([("w", leaf(tg, 1.0)), leaf(tg, 1.0)])
