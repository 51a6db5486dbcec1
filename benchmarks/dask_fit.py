"""A fit of more points than memory holds, compared with its closed form: `python -m benchmarks.dask_fit --kill`.

A cubic is fitted to sin(x) by mean squared error, at N points from −π to π that no machine ever holds. Of this fit
everything is known beforehand. With φ(x) = (1, x, x², x³), H = 2/N Σ φφᵀ and b = 2/N Σ φ sin(x),

    w* = H⁻¹ b                             the optimum, where the gradient vanishes
    w_k = w* + (I − lr H)ᵏ (w₀ − w*)        the weights after k steps of gradient descent
    L(w) = 1/N Σ sin² − ½ w*ᵀH w* + ½ (w − w*)ᵀ H (w − w*)

and the sums over the points follow from integrals and the Euler-Maclaurin formula, to more digits than float64 has.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_poly.fitting import fit
from tinygrad_poly.fitting.arguments import objective
from tinygrad_poly.fitting.objective import leaves

START = {"a": 0.5, "b": -0.3, "c": 0.2, "d": 0.1}
ROUNDINGS = 40
"""More than there are in one term of the loss or the gradient, and on the way from a block's sum to the mean."""


def loss(params: Any, x: Any, y: Any) -> Any:
    """The mean squared error of a cubic."""
    y_pred = params["a"] + params["b"] * x + params["c"] * x**2 + params["d"] * x**3
    return ((y_pred - y) ** 2).mean()


def mean_power(k: int, n: int) -> float:
    """The mean 1/N Σ xᵏ: Σ f(xᵢ) = ∫f/h + (f(−π) + f(π))/2 + h/12 [f'] − h³/720 [f'''] + …; 0 for odd k."""
    if k % 2:
        return 0.0
    h = 2 * math.pi / (n - 1)
    slope, third = (2 * math.perm(k, d) * math.pi ** (k - d) if k >= d else 0.0 for d in (1, 3))
    return (2 * math.pi ** (k + 1) / (k + 1) / h + math.pi**k + h / 12 * slope - h**3 / 720 * third) / n


def mean_power_sine(k: int, n: int) -> float:
    """The mean 1/N Σ xᵏ sin(x) for k up to 3, in the same way; the integral is 2π for k = 1, 2π³ − 12π for k = 3."""
    if k % 2 == 0:
        return 0.0
    h, p = 2 * math.pi / (n - 1), math.pi
    integral = 2 * p if k == 1 else 2 * p**3 - 12 * p
    # (x sin x)' = −π and (x sin x)''' = π at π; (x³ sin x)' = −π³ and (x³ sin x)''' = π³ − 18π.
    slope, third = (-2 * p, 2 * p) if k == 1 else (-2 * p**3, 2 * p**3 - 36 * p)
    return (integral / h + h / 12 * slope - h**3 / 720 * third) / n


class ClosedForm:
    """The fit of N points in closed form, computed without any point."""

    def __init__(self, n: int) -> None:
        self.H = 2 * np.array([[mean_power(i + j, n) for j in range(4)] for i in range(4)])
        self.optimum = np.linalg.solve(self.H, 2 * np.array([mean_power_sine(k, n) for k in range(4)]))
        # Σ sin² at N points that include both ends of a period is (N − 1)/2.
        self.least_loss = (n - 1) / (2 * n) - self.optimum @ self.H @ self.optimum / 2
        self.fastest_lr = 2 / np.linalg.eigvalsh(self.H)[[0, -1]].sum()

    def weights(self, steps: int, lr: float) -> Any:
        """The weights w_k after k steps."""
        far = np.array(list(START.values())) - self.optimum
        return self.optimum + np.linalg.matrix_power(np.eye(4) - lr * self.H, steps) @ far

    def loss(self, w: Any) -> float:
        """The loss L(w)."""
        return float(self.least_loss + (w - self.optimum) @ self.H @ (w - self.optimum) / 2)

    def rounding(self, w: Any, block: int) -> Any:
        """The bound for the error of the gradient over blocks: γ of a term's roundings, times its mean size."""
        u = np.finfo(np.float64).eps / 2
        gamma = (block + ROUNDINGS) * u / (1 - (block + ROUNDINGS) * u)
        # 1/N Σ |x|ᵏ is at most πᵏ, and |sin| at most 1.
        size = sum(abs(w[k]) * math.pi**k for k in range(4)) + 1
        return gamma * 2 * size * math.pi ** np.arange(4)


def peak() -> float:
    """The largest memory use of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def lose(client: Any, after: float) -> None:
    """Kill the process of a worker, as a system without memory does, after `after` seconds."""
    pids = client.run(os.getpid)
    address, pid = sorted(pids.items())[0]
    print(f"      (in {after:.1f} s, in the middle of a step, worker {address} is killed with SIGKILL)", flush=True)
    threading.Timer(after, os.kill, (pid, signal.SIGKILL)).start()


def run(client: Any, points: int, block: int, steps: int, log_every: int, kill: bool) -> float:
    """Take the fit and compare it with the closed form; returns the seconds per step."""
    import dask.array as da

    x = da.linspace(-math.pi, math.pi, points, chunks=block)
    y = da.sin(x)
    known = ClosedForm(points)
    lr = 0.9 * known.fastest_lr
    print(f"{points:,} points in {x.numblocks[0]} blocks of {block:,}: {2 * x.nbytes / 1e9:.1f} GB if they were stored")
    begin = last = time.perf_counter()
    times: list[float] = []

    def report(t: int, value: float) -> None:
        nonlocal last
        now = time.perf_counter()
        times.append((now - last) / log_every)
        last = now
        print(f"step {t:3d}   loss {value:.12f}   closed form {known.loss(known.weights(t, lr)):.12f}   ", end="")
        print(f"{times[-1]:.2f} s/step", flush=True)
        if kill and len(times) == 2:
            lose(client, times[-1] / 2)

    result = fit(loss, START, x, y, steps=steps, lr=lr, log_every=log_every, progress=report)
    elapsed = time.perf_counter() - begin
    weights = np.array([w.item() for w in result.params.values()])
    expected = known.weights(steps, lr)
    print(f"weights after {steps} steps   {np.array2string(weights, precision=15)}")
    print(f"closed form              {np.array2string(expected, precision=15)}")
    print(f"they differ by at most   {np.max(np.abs(weights - expected)):.1e}")

    target, _ = objective(loss, START, x, y)
    at_optimum = leaves({name: np.float64(w) for name, w in zip(START, known.optimum)})
    value = target(at_optimum)
    value.backward()
    gradient = np.abs([g.item() for w in at_optimum.values() if (g := w.grad) is not None])
    allowed = known.rounding(known.optimum, block)
    print(f"loss at the optimum      {value.item():.15f}, closed form {known.least_loss:.15f}")
    print(f"gradient at the optimum  {np.array2string(gradient, precision=1)}, where rounding may leave")
    print(f"                         {np.array2string(allowed, precision=1)}")
    print(f"{elapsed:.0f} s in all, {np.median(times):.2f} s a step (median)")
    print("most memory of a worker: " + ", ".join(f"{mb:.0f} MB" for mb in client.run(peak).values()))
    # What a gradient is off by moves the weights by lr times that, and later steps shrink it.
    slack = lr * steps * np.max(known.rounding(np.abs(list(START.values())) + np.abs(known.optimum), block))
    if np.any(gradient > allowed) or np.max(np.abs(weights - expected)) > slack or value.item() > result.loss:
        raise SystemExit("the fit is not the one that its closed form says")
    return float(np.median(times))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit on a cluster of this machine, or on an existing one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_fit", description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=400_000_000)
    parser.add_argument("--block", type=int, default=5_000_000, help="points in a block")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--log-every", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", default="1GB", help="of each worker process")
    parser.add_argument("--kill", action="store_true", help="kill a worker in the middle of a step")
    parser.add_argument("--address", help="of a scheduler, instead of workers on this machine")
    given = parser.parse_args(arguments)
    from distributed import Client, LocalCluster

    how = (given.points, min(given.block, given.points), given.steps, given.log_every, given.kill)
    if given.address:
        with Client(given.address) as client:
            run(client, *how)
        return
    print(f"{given.workers} worker processes of {given.memory} on {os.cpu_count()} cores")
    options = {"n_workers": given.workers, "threads_per_worker": 1, "memory_limit": given.memory}
    with LocalCluster(**options, dashboard_address=":0") as cluster, Client(cluster) as client:
        run(client, *how)


if __name__ == "__main__":
    main()
