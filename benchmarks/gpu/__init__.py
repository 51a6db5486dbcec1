"""GPU measurements, all in one command: `python -m benchmarks.gpu --out FOLDER`."""
