"""Data in batches, as in `torch.utils.data`: data sets, samplers, and the loader that puts them together."""

from typing import TYPE_CHECKING

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly._public import publish as _publish

if TYPE_CHECKING:
    from tinygrad_poly.utils.data.datasets import *
    from tinygrad_poly.utils.data.loader import *
    from tinygrad_poly.utils.data.samplers import *
else:
    _publish(__name__, ".datasets", ".loader", ".samplers", hidden=("check_count", "new_seed", "permutation", "words"))

_explain(__name__)
