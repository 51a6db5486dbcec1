"""Loops as CUDA kernels: a printer and a runner beside those for the CPU."""
