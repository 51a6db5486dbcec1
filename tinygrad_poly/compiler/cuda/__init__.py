"""CUDA kernels: a printer and a runner for GPUs, beside those for the CPU."""
