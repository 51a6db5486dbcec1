"""Every optimizer that there is, and options to try: one that is added is tested wherever these lists are used."""

import tinygrad_poly as tg

OPTIMIZERS = [
    name
    for name, value in vars(tg.optim).items()
    if isinstance(value, type) and issubclass(value, tg.optim.Optimizer) and name != "Optimizer"
]

ADAMS = [
    {},
    {"betas": (0.6, 0.7)},
    {"eps": 1e-2},
    {"weight_decay": 0.1},
    {"amsgrad": True},
    {"maximize": True},
    {"betas": (0.8, 0.99), "weight_decay": 0.1, "amsgrad": True, "maximize": True, "eps": 1e-4},
]
OPTIONS = {
    "SGD": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.5},
        {"momentum": 0.9, "nesterov": True},
        {"weight_decay": 0.1},
        {"maximize": True},
        {"momentum": 0.5, "dampening": 0.25, "weight_decay": 0.1, "maximize": True},
    ],
    "RMSprop": [
        {},
        {"alpha": 0.6},
        {"eps": 1e-2},
        {"weight_decay": 0.1},
        {"momentum": 0.9},
        {"centered": True},
        {"maximize": True},
        {"alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.1, "maximize": True, "eps": 1e-4},
    ],
    "Adagrad": [
        {},
        {"lr_decay": 0.1},
        {"weight_decay": 0.1},
        {"initial_accumulator_value": 0.5},
        {"eps": 1e-2},
        {"maximize": True},
        {"lr_decay": 0.5, "weight_decay": 0.1, "initial_accumulator_value": 2.0, "maximize": True},
    ],
    "Adam": [*ADAMS, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "AdamW": ADAMS,
    "Adadelta": [{}, {"rho": 0.5}, {"eps": 1e-2}, {"weight_decay": 0.1, "maximize": True}],
    "Adamax": [{}, {"betas": (0.6, 0.7)}, {"eps": 1e-2}, {"weight_decay": 0.1, "maximize": True}],
    "NAdam": [
        {},
        {"betas": (0.6, 0.7), "momentum_decay": 0.1},
        {"weight_decay": 0.1, "eps": 1e-2},
        {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "RAdam": [
        {},
        {"betas": (0.6, 0.7)},
        {"betas": (0.5, 0.6), "eps": 1e-2, "weight_decay": 0.1, "maximize": True},
        {"weight_decay": 1.0, "decoupled_weight_decay": True},
    ],
    "Rprop": [{}, {"etas": (0.25, 2.0), "step_sizes": (1e-3, 0.1)}, {"maximize": True}],
    "ASGD": [{}, {"lambd": 0.1, "alpha": 0.5, "t0": 3}, {"weight_decay": 0.1, "maximize": True}],
    "LBFGS": [{"max_iter": 1}, {"max_iter": 1, "lr": 0.5, "history_size": 3}],
}
"""Options for each optimizer; one that is not here is tried with its defaults."""

CHOICES = [(name, options) for name in OPTIMIZERS for options in OPTIONS.get(name, [{}])]
FITTING = [(name, options) for name, options in CHOICES if not getattr(tg.optim, name).needs_closure]
"""Those that a fit can use, which computes one gradient for each step."""
