"""Exceptions: every error class of the package, for `except` clauses."""

from tinygrad_poly.engine.errors import AnomalyError as AnomalyError
from tinygrad_poly.engine.errors import BlockError as BlockError
from tinygrad_poly.engine.errors import DataError as DataError
from tinygrad_poly.engine.errors import DeviceError as DeviceError
from tinygrad_poly.engine.errors import DimensionError as DimensionError
from tinygrad_poly.engine.errors import DivergenceError as DivergenceError
from tinygrad_poly.engine.errors import DtypeError as DtypeError
from tinygrad_poly.engine.errors import GraphError as GraphError
from tinygrad_poly.engine.errors import ShapeError as ShapeError
from tinygrad_poly.engine.errors import SingularMatrixError as SingularMatrixError
from tinygrad_poly.engine.errors import StructureError as StructureError
from tinygrad_poly.engine.errors import TraceError as TraceError
