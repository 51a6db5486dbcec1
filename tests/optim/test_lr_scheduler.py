"""Learning rates change as torch's do, to the last bit: both compute them with Python's numbers."""

import math
import warnings

import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError

from ..helpers import both, label, leaf

SCHEDULERS = [
    ("StepLR", {"step_size": 3}),
    ("StepLR", {"step_size": 1, "gamma": 0.7}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.3}),
    ("MultiStepLR", {"milestones": [0, 2, 0], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 7}),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": 0.01}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 1 / (1 + epoch), math.exp]}),
]
LOSSES = [3.0, 2.0, 1.9, 1.9, 1.9, 1.8999, 1.9, 1.9, 1.0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 0.1, math.nan, 2, 2, 2, 2]
PLATEAUS = [
    {"patience": 1},
    {"patience": 0, "factor": 0.5, "mode": "max"},
    {"patience": 1, "cooldown": 2, "threshold": 0.2},
    {"patience": 1, "threshold": 0.5, "threshold_mode": "abs"},
    {"patience": 1, "threshold": 0.5, "threshold_mode": "abs", "mode": "max"},
    {"patience": 0, "min_lr": 0.02},
    {"patience": 0, "min_lr": [0.02, 0.001], "eps": 0.005},
]


def optimizer_of(m):
    return m.optim.SGD([{"params": [leaf(m, 1.0)]}, {"params": [leaf(m, 1.0)], "lr": 0.3}], lr=0.1)


def rates(m, make, steps):
    optimizer = optimizer_of(m)
    scheduler = make(m, optimizer)
    found = [scheduler.get_last_lr(), [group["lr"] for group in optimizer.param_groups]]
    for step in steps:
        optimizer.step()
        scheduler.step(*step)
        found += [scheduler.get_last_lr(), [group["lr"] for group in optimizer.param_groups]]
    return found


@pytest.mark.parametrize(("name", "options"), SCHEDULERS, ids=label)
def test_the_rates_are_torchs(name, options):
    mine, theirs = (
        rates(m, lambda m, optimizer: getattr(m.optim.lr_scheduler, name)(optimizer, **options), [()] * 30)
        for m in (tg, torch)
    )
    assert mine == theirs


@pytest.mark.parametrize("last_epoch", [0, 1, 2, 4, 8])
@pytest.mark.parametrize(("name", "options"), SCHEDULERS, ids=label)
def test_rates_go_on_from_an_epoch_as_torchs_do(name, options, last_epoch):
    if name == "CosineAnnealingLR":
        pytest.skip("torch's rate is another one there, computed anew")
    found = []
    for m in (tg, torch):
        optimizer = optimizer_of(m)
        getattr(m.optim.lr_scheduler, name)(optimizer, **options)
        scheduler = getattr(m.optim.lr_scheduler, name)(optimizer, **options, last_epoch=last_epoch)
        found.append([scheduler.get_last_lr()])
        for _ in range(5):
            optimizer.step()
            scheduler.step()
            found[-1].append(scheduler.get_last_lr())
    assert found[0] == found[1]


@pytest.mark.parametrize("options", PLATEAUS, ids=label)
def test_the_rates_on_a_plateau_are_torchs(options):
    mine, theirs = (
        rates(
            m,
            lambda m, optimizer: m.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options),
            [(m.tensor(loss),) for loss in LOSSES],
        )
        for m in (tg, torch)
    )
    assert mine == theirs


@pytest.mark.parametrize(("name", "options"), [*SCHEDULERS, *(("ReduceLROnPlateau", o) for o in PLATEAUS)], ids=label)
def test_a_loaded_scheduler_goes_on_as_the_saved_one(name, options):
    def run(optimizer, scheduler, losses):
        found = []
        for loss in losses:
            scheduler.step(*([loss] if name == "ReduceLROnPlateau" else []))
            found.append([group["lr"] for group in optimizer.param_groups])
        return found

    optimizer, other = optimizer_of(tg), optimizer_of(tg)
    scheduler, resumed = (getattr(tg.optim.lr_scheduler, name)(o, **options) for o in (optimizer, other))
    run(optimizer, scheduler, LOSSES[:8])
    states = optimizer.state_dict(), scheduler.state_dict()
    expected = run(optimizer, scheduler, LOSSES[8:])
    other.load_state_dict(states[0])
    resumed.load_state_dict(states[1])
    assert run(other, resumed, LOSSES[8:]) == expected


@both
def test_schedulers_can_be_combined(m):
    optimizer = m.optim.SGD([leaf(m, 1.0)], lr=1.0)
    first = m.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    second = m.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.25)
    for _ in range(2):
        optimizer.step()
        first.step()
        second.step()
    assert optimizer.param_groups[0]["lr"] == 0.0625


@both
def test_a_scheduler_can_begin_in_the_middle(m):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = m.optim.SGD([leaf(m, 1.0)], lr=1.0)
        with pytest.raises(KeyError, match="initial_lr"):
            m.optim.lr_scheduler.StepLR(optimizer, 1, last_epoch=3)
        optimizer.param_groups[0]["initial_lr"] = 2.0
        scheduler = m.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.5, last_epoch=4)
        assert (scheduler.last_epoch, scheduler.base_lrs) == (5, [2.0])
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] == 0.5


@both
def test_what_is_no_optimizer_is_refused(m):
    for name, options in SCHEDULERS:
        with pytest.raises((TypeError, AttributeError)):
            getattr(m.optim.lr_scheduler, name)([leaf(m, 1.0)], **options)
    with pytest.raises(TypeError):
        m.optim.lr_scheduler.ReduceLROnPlateau(0.1)


def test_refusals_say_what_is_wrong():
    schedulers, optimizer = tg.optim.lr_scheduler, optimizer_of(tg)
    with pytest.raises(DtypeError, match="learning rates of an optimizer, not of a list"):
        schedulers.StepLR([1], 3)
    for make, message in (
        (lambda: schedulers.StepLR(optimizer, 0), "step_size must be 1 or more, not 0"),
        (lambda: schedulers.CosineAnnealingLR(optimizer, 0), "T_max must be 1 or more, not 0"),
        (lambda: schedulers.LambdaLR(optimizer, [math.exp]), "2 groups, but 1 functions"),
        (lambda: schedulers.ReduceLROnPlateau(optimizer, factor=1.0), "factor must be below 1, not 1.0"),
        (lambda: schedulers.ReduceLROnPlateau(optimizer, mode="up"), "mode must be 'min' or 'max', not 'up'"),
        (lambda: schedulers.ReduceLROnPlateau(optimizer, threshold_mode="x"), "threshold_mode must be 'rel' or 'abs'"),
        (lambda: schedulers.ReduceLROnPlateau(optimizer, min_lr=[0.1]), "2 groups, but min_lr has 1"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(NotImplementedError, match="get_lr"):
        schedulers.LRScheduler(optimizer)
