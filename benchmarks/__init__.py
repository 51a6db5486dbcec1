"""How long a training step takes, beside NumPy by hand and torch: `pytest benchmarks`."""
