"""Loops on the CPU: instructions that share a loop, printed as Python and run by Numba or NumPy."""
