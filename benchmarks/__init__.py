"""Benchmarks: the time of a training step, compared with NumPy by hand and torch: `pytest benchmarks`."""
