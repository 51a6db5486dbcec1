"""Learning rates change as torch's do, to the last bit: both compute them with Python's numbers."""

import json
import math
import warnings

import numpy as np
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
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.95 + 0.01 * epoch}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.3, "total_iters": 0}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.7, "end_factor": 0.1, "total_iters": 8}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 11, "power": 1.7}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": [0.1, 0.7], "step_size_up": 3, "step_size_down": 5}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "scale_fn": lambda x: 0.7**x}),
    (
        "CyclicLR",
        {"base_lr": [0.01, 0.2], "max_lr": 0.3, "step_size_up": 4, "scale_fn": math.cos, "scale_mode": "iterations"},
    ),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "base_momentum": [0.1, 0.3], "max_momentum": 0.5}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 30}),
    ("OneCycleLR", {"max_lr": [0.3, 0.7], "epochs": 6, "steps_per_epoch": 5, "pct_start": 0.2}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 40, "three_phase": True, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 31, "div_factor": 3, "final_div_factor": 7, "base_momentum": 0.1}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 30, "cycle_momentum": False}),
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
    return m.optim.SGD([{"params": [leaf(m, 1.0)]}, {"params": [leaf(m, 1.0)], "lr": 0.3}], lr=0.1, momentum=0.5)


def present(scheduler, optimizer):
    """The rates and momenta."""
    momenta = [group.get("momentum", group.get("betas")) for group in optimizer.param_groups]
    return scheduler.get_last_lr(), [group["lr"] for group in optimizer.param_groups], momenta


def rates(m, make, steps):
    optimizer = optimizer_of(m)
    scheduler = make(m, optimizer)
    found = [present(scheduler, optimizer)]
    for step in steps:
        optimizer.step()
        scheduler.step(*step)
        found.append(present(scheduler, optimizer))
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


NAMES = ["StepLR", "ExponentialLR", "ConstantLR", "LinearLR", "PolynomialLR", "LambdaLR", "MultiplicativeLR"]
NAMES += ["CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "CosineAnnealingLR", "MultiStepLR"]


def some_options(rng, name):
    """Random options of a scheduler."""
    a, b, count = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 1)), int(rng.integers(1, 9))
    return {
        "StepLR": {"step_size": count, "gamma": a},
        "MultiStepLR": {"milestones": [count, count + 2], "gamma": a},
        "ExponentialLR": {"gamma": a},
        "ConstantLR": {"factor": a, "total_iters": count},
        "LinearLR": {"start_factor": a, "end_factor": b, "total_iters": count},
        "PolynomialLR": {"total_iters": count, "power": b},
        "LambdaLR": {"lr_lambda": lambda epoch: a**epoch},
        "MultiplicativeLR": {"lr_lambda": lambda epoch: a + b / (epoch + 1)},
        "CosineAnnealingLR": {"T_max": count, "eta_min": a / 10},
        "CosineAnnealingWarmRestarts": {"T_0": count, "T_mult": 1 + count % 3, "eta_min": a / 10},
        "CyclicLR": {"base_lr": a / 10, "max_lr": b, "step_size_up": count, "step_size_down": 1 + count % 4},
        "OneCycleLR": {"max_lr": b, "total_steps": 60, "pct_start": a, "three_phase": a < 0.4},
    }[name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("combined", ["SequentialLR", "ChainedScheduler"])
def test_combined_schedulers_are_torchs_for_random_options(combined):
    for seed in range(60):
        found = []
        for m in (tg, torch):
            rng = np.random.default_rng(seed)
            schedulers, optimizer = m.optim.lr_scheduler, optimizer_of(m)
            names = list(rng.choice(NAMES, 3))
            parts = [getattr(schedulers, name)(optimizer, **some_options(rng, name)) for name in names]
            arguments = (optimizer, parts, sorted(rng.integers(0, 12, 2).tolist())) if combined[0] == "S" else (parts,)
            scheduler = getattr(schedulers, combined)(*arguments)
            found.append([present(scheduler, optimizer)])
            for _ in range(15):
                scheduler.step()
                found[-1].append(present(scheduler, optimizer))
        # The cosine begins at eta_min + (first − eta_min) in torch, and at the first rate here.
        np.testing.assert_allclose(
            *found, rtol=1e-12 if "CosineAnnealingLR" in names else 0, err_msg=str((seed, names))
        )


@pytest.mark.parametrize("combined", ["SequentialLR", "ChainedScheduler"])
def test_a_loaded_combination_goes_on_as_the_saved_one(combined):
    def made():
        optimizer, schedulers = optimizer_of(tg), tg.optim.lr_scheduler
        parts = [schedulers.LinearLR(optimizer), schedulers.CyclicLR(optimizer, 0.1, 0.2, 3)]
        arguments = (optimizer, parts, [4]) if combined == "SequentialLR" else (parts,)
        return optimizer, getattr(schedulers, combined)(*arguments)

    optimizer, scheduler = made()
    for _ in range(6):
        scheduler.step()
    other, resumed = made()
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    for _ in range(6):
        scheduler.step()
        resumed.step()
        assert present(resumed, other) == present(scheduler, optimizer)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_warm_restarts_go_to_any_epoch_as_torchs_do(times):
    found = []
    for m in (tg, torch):
        optimizer = optimizer_of(m)
        scheduler = m.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, times)
        found.append([])
        for epoch in (0, 0.5, 2, 3, 7.25, 20, None, None, 1, None):
            scheduler.step(epoch)
            found[-1].append((*present(scheduler, optimizer), scheduler.last_epoch))
    assert found[0] == found[1]


def test_beta1_takes_the_place_of_momentum():
    found = []
    for m in (tg, torch):
        optimizer = m.optim.Adam([leaf(m, 1.0)])
        scheduler = m.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 10)
        found.append([])
        for _ in range(10):
            optimizer.step()
            scheduler.step()
            found[-1].append(present(scheduler, optimizer))
    assert found[0] == found[1]


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
    schedulers, optimizer, plain = tg.optim.lr_scheduler, optimizer_of(tg), tg.optim.Rprop([leaf(tg, 1.0)])
    step = schedulers.StepLR(optimizer, 3)
    chain = schedulers.ChainedScheduler([step])
    with pytest.raises(DtypeError, match="number 0 is no scheduler"):
        schedulers.ChainedScheduler([schedulers.ReduceLROnPlateau(optimizer)])
    with pytest.raises(DtypeError, match="learning rates of an optimizer, not of a list"):
        schedulers.StepLR([1], 3)
    for make, message in (
        (lambda: schedulers.StepLR(optimizer, 0), "step_size must be 1 or more, not 0"),
        (lambda: schedulers.CosineAnnealingLR(optimizer, 0), "T_max must be 1 or more, not 0"),
        (lambda: schedulers.LambdaLR(optimizer, [math.exp]), "2 groups, but lr_lambda has 1 values"),
        (lambda: schedulers.ConstantLR(optimizer, 0), "factor must be above 0 and at most 1, not 0"),
        (lambda: schedulers.LinearLR(optimizer, 0), "start_factor must be above 0"),
        (lambda: schedulers.CosineAnnealingWarmRestarts(optimizer, 0), "1 or more, not 0 and 1"),
        (lambda: schedulers.CosineAnnealingWarmRestarts(optimizer, 3).step(-1), "epoch must be 0 or more, not -1"),
        (lambda: schedulers.CyclicLR(optimizer, 0.1, 0.2, mode="square"), "triangular2, exp_range, or scale_fn"),
        (lambda: schedulers.CyclicLR(plain, 0.1, 0.2), "Rprop has neither momentum nor betas"),
        (lambda: schedulers.OneCycleLR(optimizer, 0.1), "give total_steps, or epochs and steps_per_epoch"),
        (lambda: schedulers.OneCycleLR(optimizer, 0.1, 9, pct_start=2), "pct_start must be from 0 to 1, not 2"),
        (lambda: schedulers.OneCycleLR(optimizer, 0.1, 9, anneal_strategy="up"), "'cos' or 'linear', not 'up'"),
        (lambda: schedulers.ChainedScheduler([]), "at least one scheduler"),
        (lambda: schedulers.SequentialLR(optimizer, [step], [1]), "1 schedulers begin at one milestone less, not 1"),
        (lambda: schedulers.SequentialLR(plain, [step], []), "scheduler 0, StepLR, is for another optimizer"),
        (lambda: schedulers.SequentialLR(optimizer, [chain], []), "no schedulers that are made of others"),
        (lambda: schedulers.ReduceLROnPlateau(optimizer, factor=1.0), "factor must be below 1, not 1.0"),
        (lambda: schedulers.ReduceLROnPlateau(optimizer, mode="up"), "mode must be 'min' or 'max', not 'up'"),
        (lambda: schedulers.ReduceLROnPlateau(optimizer, threshold_mode="x"), "threshold_mode must be 'rel' or 'abs'"),
        (lambda: schedulers.ReduceLROnPlateau(optimizer, min_lr=[0.1]), "2 groups, but min_lr has 1"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(NotImplementedError, match="get_lr"):
        schedulers.LRScheduler(optimizer)
