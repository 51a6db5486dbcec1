"""NumPy, as in the tutorials that work the gradient out by hand."""

import numpy as np

from benchmarks.implementations.ways import by_hand
from benchmarks.interface import Implementation

IMPLEMENTATIONS = [Implementation("NumPy by hand", "by hand", lambda case: by_hand(case, np.asarray), memory=3)]
