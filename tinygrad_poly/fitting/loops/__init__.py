"""Training loops: eager, compiled, on a GPU, and over the blocks of a Dask array."""
