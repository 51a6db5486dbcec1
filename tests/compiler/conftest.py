import pytest

import tinygrad_poly as tg
from tinygrad_poly.compiler.loops import fuse as fusing
from tinygrad_poly.compiler.loops import numba_runner

from ..fitting.conftest import Sine
from .routes import plainly


@pytest.fixture
def sine():
    return Sine(tg.float64, points=50)


@pytest.fixture
def uncompiled(monkeypatch):
    """Fused programs run as the Python source that they are: exact, and without a second for Numba each."""
    monkeypatch.setattr(numba_runner, "available", lambda: True)
    monkeypatch.setattr(numba_runner, "compiled", plainly)


@pytest.fixture
def always_loops(monkeypatch):
    """Loops with calls between them even where NumPy alone would do as well."""
    monkeypatch.setattr(fusing, "FEWEST", 0)
