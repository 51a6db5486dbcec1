"""NumPy with gradients worked out by hand, as in the tutorials."""

import numpy as np

from benchmarks.implementations.ways import by_hand
from benchmarks.interface import Implementation
from benchmarks.problems import PROBLEMS

IMPLEMENTATIONS = [
    Implementation(
        "NumPy by hand", "by hand", lambda case: by_hand(case, np.asarray), problems=tuple(PROBLEMS), memory=3
    )
]
