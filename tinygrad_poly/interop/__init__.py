"""Other libraries: how NumPy, CuPy and JAX work with tensors, one file for each."""
