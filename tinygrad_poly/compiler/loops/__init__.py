"""Loops on the CPU: instructions fused into loops, printed as Python, and run by Numba or NumPy."""
