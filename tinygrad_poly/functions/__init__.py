"""Functions of tensors, under torch's names; most of them are methods of `Tensor` too.

The public names are those in the families' `__all__`.
"""

from tinygrad_poly.functions import (
    activations,
    arithmetic,
    comparisons,
    contractions,
    diagonals,
    elementwise,
    indexing,
    joining,
    linalg,
    norms,
    ordering,
    polynomials,
    products,
    reductions,
    scans,
    shapes,
)
from tinygrad_poly.functions.activations import *
from tinygrad_poly.functions.arithmetic import *
from tinygrad_poly.functions.comparisons import *
from tinygrad_poly.functions.contractions import *
from tinygrad_poly.functions.diagonals import *
from tinygrad_poly.functions.elementwise import *
from tinygrad_poly.functions.indexing import *
from tinygrad_poly.functions.joining import *
from tinygrad_poly.functions.linalg import *
from tinygrad_poly.functions.norms import *
from tinygrad_poly.functions.ordering import *
from tinygrad_poly.functions.polynomials import *
from tinygrad_poly.functions.products import *
from tinygrad_poly.functions.reductions import *
from tinygrad_poly.functions.scans import *
from tinygrad_poly.functions.shapes import *
from tinygrad_poly.functions.softmax import *

__all__ = [
    "log_softmax",
    "softmax",
    *activations.__all__,
    *arithmetic.__all__,
    *comparisons.__all__,
    *contractions.__all__,
    *diagonals.__all__,
    *elementwise.__all__,
    *indexing.__all__,
    *joining.__all__,
    *linalg.__all__,
    *norms.__all__,
    *ordering.__all__,
    *polynomials.__all__,
    *products.__all__,
    *reductions.__all__,
    *scans.__all__,
    *shapes.__all__,
]
