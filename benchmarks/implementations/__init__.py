"""The implementations, one file for each library, which is imported only when it is started."""

from benchmarks.implementations import cuda, engine, jax_, memory, numba_, numpy_, peers, torch_

ALL = [
    implementation
    for module in (numpy_, engine, torch_, jax_, numba_, cuda, memory, peers)
    for implementation in module.IMPLEMENTATIONS
]
