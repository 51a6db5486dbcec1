"""Points: arguments at random, tame and wild, and how exactly a gradient can be known there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .functions import Row

KINDS = {
    "plain": 12,
    "integers": 2,
    "scaled, 10^±3": 2,
    "near a kink": 2,
    "at a kink": 1,
    "ill-conditioned": 2,
    "wild, 10^±150": 2,
    "long sums": 1,
}
"""Kinds of points, and how many of each in 24. Smooth and well scaled are the plain ones alone."""


def sizes(row: Row, random: Any, kind: str) -> dict[str, int]:
    """A size for each letter; some points have many rows."""
    found = {s: int(random.integers(max(row.least, 2), 7 + row.least // 3)) for s in "m"}
    found |= {s: int(random.integers(row.least, max(row.least, 4) + 1)) for s in "nkh"}
    found["three"] = 3
    if kind == "long sums":
        area = max(math.prod(found[s] for s in dims if s != "m") for dims, _ in row.arguments.values())
        found["m"] = int(10 ** random.uniform(2, 4)) // area + 2
    return found


def draw(row: Row, random: Any, dtype: Any, kind: str, size: dict[str, int]) -> list[Any]:
    """Arguments of a row."""
    wide = 150 if dtype is np.float64 else 18
    power = {"scaled, 10^±3": 3.0, "wild, 10^±150": float(wide)}.get(kind, 0.0)
    args: dict[str, Any] = {}
    for name, (dims, domain) in row.arguments.items():
        shape = tuple(size[d] for d in dims)
        x: Any
        if domain.startswith("index"):
            args[name] = random.integers(0, size[domain.split()[1]], shape)
            continue
        if domain == "power":
            args[name] = int(random.integers(2, 6))
            continue
        if domain == "onehot":
            x = np.eye(shape[1])[random.integers(0, shape[1], shape[0])]
        elif domain in ("label", "mask"):
            x = random.integers(0, 2, shape) * (2 if domain == "label" else 1) - (domain == "label")
        elif domain == "unit":
            x = random.uniform(0.05, 0.95, shape)
            x = x ** (power / 3 + 1)
        else:
            x = random.standard_normal(shape)
            if kind == "integers":
                x = np.round(2 * x)
            if kind == "ill-conditioned":
                x = 10 ** random.uniform(0, 3) * random.choice([-1, 1]) + 10 ** random.uniform(-9, -3) * x
            if domain == "positive":
                x = np.abs(x) + 0.25
            if power:
                x = x * 10 ** random.uniform(-power, power)
            if domain == "dominant":
                x = x + 4 * len(x) * np.eye(len(x)) * (np.abs(x).max() or 1.0)
        args[name] = np.asarray(x).astype(dtype)[()]
    if row.kink and "kink" in kind:
        left, _, right = row.kink.partition(" = ")
        chosen = random.random(args[left].shape) < 0.5
        off = 10 ** random.uniform(-12, -3, args[left].shape) if kind == "near a kink" else 0.0
        args[left] = np.where(chosen, (args[right] if right else 0) + off, args[left]).astype(dtype)
    return list(args.values())


def cast(args: list[Any], dtype: Any) -> list[Any]:
    """The floats among arguments in another dtype."""
    return [x.astype(dtype) if getattr(x, "dtype", None) is not None and x.dtype.kind == "f" else x for x in args]


@dataclass
class Known:
    """What is known of the right gradient at a point: its numbers, and how far rounding may move them."""

    right: list[Any]
    exact: list[Any]
    bound: list[Any]
    sound: bool


def known(gradient: Any, args: list[Any], dtype: Any, random: Any) -> Known:
    """The right gradient, in wide numbers too, and what rounding does to it.

    The bound is measured: how far the gradient in `dtype` is from the wide one, and how far it moves when every
    argument moves by a rounding, each with room for sums that another order of adding rounds differently.
    `sound` is whether the formula says anything there: it may overflow, or cancel down to nothing.
    """
    unit = float(np.finfo(dtype).eps) / 2
    with np.errstate(all="ignore"):
        right = [np.asarray(g) for g in gradient(*args)]
        exact = [np.asarray(g, np.longdouble) for g in gradient(*cast(args, np.longdouble))]
        moved = []
        for _ in range(3):
            near = [
                x * (1 + unit * random.uniform(-1, 1, x.shape)) if getattr(x, "dtype", np.dtype(int)).kind == "f" else x
                for x in cast(args, np.longdouble)
            ]
            moved.append(gradient(*near))
    count = sum(getattr(x, "size", 1) for x in args)
    bound, sound = [], True
    top = float(np.finfo(dtype).max)
    for k, (g, G) in enumerate(zip(right, exact)):
        with np.errstate(all="ignore"):
            jitter = np.max([np.abs(np.asarray(m[k]) - G) for m in moved], axis=0)
            size = np.abs(G).max(initial=0.0)
            off = np.abs(g - G)
            slack = 100 * jitter.max(initial=0.0) + 1e3 * count * unit * size + 1e6 * float(np.finfo(dtype).tiny)
            sound &= bool(
                np.isfinite(g).all() and np.isfinite(jitter).all() and size < top / 16 and (off <= slack).all()
            )
            bound.append((8 + math.sqrt(count)) * (jitter + off) + 16 * unit * np.abs(G) + 4 * unit * size)
    return Known(right, exact, bound, sound)
