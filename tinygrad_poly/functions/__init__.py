"""Functions of tensors, under torch's names; most of them are methods of `Tensor` too.

The public names are those in the families' `__all__`.
"""

from tinygrad_poly.functions import elementwise, linalg, reductions, shapes
from tinygrad_poly.functions.elementwise import *
from tinygrad_poly.functions.linalg import *
from tinygrad_poly.functions.reductions import *
from tinygrad_poly.functions.shapes import *

__all__ = [
    *elementwise.__all__,
    *linalg.__all__,
    *reductions.__all__,
    *shapes.__all__,
]
