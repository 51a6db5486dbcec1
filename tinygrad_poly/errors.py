"""Exceptions: every error class of the package, for `except` clauses."""

from tinygrad_poly.engine.errors import *
