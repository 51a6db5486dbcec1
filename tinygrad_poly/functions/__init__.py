"""Functions of tensors, under torch's names; most of them are also methods of `Tensor`.

What a family's file defines without an underscore is a public function, but for those that are methods only. What is
in `linalg` goes by the name of `tinygrad_poly.linalg`; it is listed here where torch has it by a shorter name too.
"""

from types import FunctionType
from typing import TYPE_CHECKING

from tinygrad_poly._public import defined
from tinygrad_poly.functions.linalg import cholesky as cholesky
from tinygrad_poly.functions.linalg import cholesky_inverse as cholesky_inverse
from tinygrad_poly.functions.linalg import cholesky_solve as cholesky_solve
from tinygrad_poly.functions.linalg import det as det
from tinygrad_poly.functions.linalg import inverse as inverse
from tinygrad_poly.functions.linalg import logdet as logdet
from tinygrad_poly.functions.linalg import matrix_exp as matrix_exp
from tinygrad_poly.functions.linalg import matrix_power as matrix_power
from tinygrad_poly.functions.linalg import older_qr, thin_svd
from tinygrad_poly.functions.linalg import pinverse as pinverse
from tinygrad_poly.functions.linalg import slogdet as slogdet

qr, svd = older_qr, thin_svd
FAMILIES = (
    *("activations", "arithmetic", "comparisons", "contractions", "diagonals", "elementwise", "indexing", "joining"),
    *("norms", "ordering", "polynomials", "products", "reductions", "scans", "shapes", "softmax", "windows"),
)
METHODS_ONLY = ("fill_diagonal", "getitem", "repeated", "reshape_as", "setitem", "view", "view_as")


def public(family: str) -> dict[str, FunctionType]:
    """The public functions of a family, by name."""
    return {k: f for k, f in defined(f"{__name__}.{family}", (FunctionType,)) if k not in METHODS_ONLY}


if TYPE_CHECKING:
    from tinygrad_poly.functions.activations import *
    from tinygrad_poly.functions.arithmetic import *
    from tinygrad_poly.functions.comparisons import *
    from tinygrad_poly.functions.contractions import *
    from tinygrad_poly.functions.diagonals import *
    from tinygrad_poly.functions.elementwise import *
    from tinygrad_poly.functions.indexing import *
    from tinygrad_poly.functions.joining import *
    from tinygrad_poly.functions.norms import *
    from tinygrad_poly.functions.ordering import *
    from tinygrad_poly.functions.polynomials import *
    from tinygrad_poly.functions.products import *
    from tinygrad_poly.functions.reductions import *
    from tinygrad_poly.functions.scans import *
    from tinygrad_poly.functions.shapes import *
    from tinygrad_poly.functions.softmax import *
    from tinygrad_poly.functions.windows import *
else:
    __all__ = ["cholesky", "cholesky_inverse", "cholesky_solve", "det", "inverse", "logdet", "matrix_exp"]
    __all__ += ["matrix_power", "pinverse", "qr", "slogdet", "svd"]
    for _family in FAMILIES:
        globals().update(found := public(_family))
        __all__ += found
