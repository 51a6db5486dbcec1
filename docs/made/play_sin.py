"""The sin fit, running: set the start and the learning rate, and choose an optimizer."""

import math

import tinygrad_poly as tg
from tinygrad_poly.explain.playground import play
from tinygrad_poly.fitting import as_quadratic


def model(weights, x):
    return weights["a"] + weights["b"] * x + weights["c"] * x**2 + weights["d"] * x**3


def loss(weights, x, y):
    return ((model(weights, x) - y) ** 2).sum()


x = tg.linspace(-math.pi, math.pi, 2000, dtype=tg.float64)
start = {"a": tg.tensor(0.1), "b": tg.tensor(-0.1), "c": tg.tensor(0.3), "d": tg.tensor(-0.2)}
found = as_quadratic(loss, start, x, tg.sin(x))
limits = {"stable": found.largest_stable_lr, "least": found.least_loss}

page = play(loss, model, start, x, tg.sin(x), lr=1e-6, title="A cubic, fitted to sin(x)", **limits)
