"""Other libraries: what NumPy, CuPy and JAX ask of a tensor, one file for each."""
