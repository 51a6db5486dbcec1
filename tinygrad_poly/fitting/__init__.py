"""Fitting: `fit`, the training loop of the tutorials, with results that are checked, saved and resumed.

It says how far a fit is from the optimum and whether it has converged, stops with the largest stable
learning rate where it diverges, keeps what was learned when Ctrl-C ends it, and can be saved and resumed.
"""

from tinygrad_poly.fitting.descent import fit as fit
from tinygrad_poly.fitting.descent import program as program
from tinygrad_poly.fitting.descent import resume as resume
from tinygrad_poly.fitting.quadratic import Quadratic as Quadratic
from tinygrad_poly.fitting.quadratic import as_quadratic as as_quadratic
from tinygrad_poly.fitting.result import FitResult as FitResult
from tinygrad_poly.fitting.verdict import Verdict as Verdict
