"""The implementations, a file for each library. None imports its library before it is started."""

from benchmarks.implementations import cuda, engine, jax_, memory, numba_, numpy_, peers, torch_

ALL = [
    implementation
    for module in (numpy_, engine, torch_, jax_, numba_, cuda, memory, peers)
    for implementation in module.IMPLEMENTATIONS
]
