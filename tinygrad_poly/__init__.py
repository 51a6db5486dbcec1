"""tinygrad_poly: a small automatic differentiation engine on NumPy, with torch's names.

>>> import tinygrad_poly as tg
>>> a = tg.tensor(2.0, requires_grad=True)
>>> b = tg.tensor(3.0, requires_grad=True)
>>> (a * b + a).backward()
>>> a.grad, b.grad                  # b + 1, a
(tensor(4.), tensor(2.))
"""

from tinygrad_poly import _start as _start  # before what takes time

# isort: split

import sys as _sys
import typing as _typing
from importlib import import_module as _import_module
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

import numpy as _np

from tinygrad_poly import autograd as autograd
from tinygrad_poly._missing import explain_methods as _explain_methods
from tinygrad_poly._missing import refuse as _refuse
from tinygrad_poly._printing import set_printoptions as set_printoptions
from tinygrad_poly.autograd import grad as grad
from tinygrad_poly.autograd.grad_mode import inference_mode as inference_mode
from tinygrad_poly.autograd.grad_mode import is_inference_mode_enabled as is_inference_mode_enabled
from tinygrad_poly.autograd.grad_mode import set_grad_enabled as set_grad_enabled
from tinygrad_poly.creation import *
from tinygrad_poly.creation import range_inclusive as range
from tinygrad_poly.engine.apply import apply_operation as apply_operation
from tinygrad_poly.engine.apply import bind as _bind
from tinygrad_poly.engine.arrays import Dtype as _Dtype
from tinygrad_poly.engine.arrays import Library as _Library
from tinygrad_poly.engine.arrays import Size as Size
from tinygrad_poly.engine.arrays import device as device
from tinygrad_poly.engine.arrays import dtypes as _dtypes
from tinygrad_poly.engine.arrays import register as _register
from tinygrad_poly.engine.arrays import set_default_dtype as set_default_dtype
from tinygrad_poly.engine.recording import enable_grad as enable_grad
from tinygrad_poly.engine.recording import is_grad_enabled as is_grad_enabled
from tinygrad_poly.engine.recording import no_grad as no_grad
from tinygrad_poly.functions import *
from tinygrad_poly.interop.cupy import cupy as _cupy
from tinygrad_poly.random import *
from tinygrad_poly.tensor import Tensor as Tensor

if _typing.TYPE_CHECKING:
    from tinygrad_poly import cuda as cuda
    from tinygrad_poly import func as func
    from tinygrad_poly import linalg as linalg
    from tinygrad_poly import nn as nn
    from tinygrad_poly import optim as optim
    from tinygrad_poly import testing as testing
    from tinygrad_poly import utils as utils
    from tinygrad_poly.checking.coach import coach as coach
    from tinygrad_poly.compiler import compile as compile
    from tinygrad_poly.fitting import FitResult as FitResult
    from tinygrad_poly.fitting import fit as fit
    from tinygrad_poly.func import vmap as vmap
    from tinygrad_poly.saving import load as load
    from tinygrad_poly.saving import save as save

__version__ = "0.1.0"

dtype, newaxis = _Dtype, None
float32, float64, float16, int64, int32, int16, int8, uint8, bool = _dtypes
float, double, half, long, int, short = float32, float64, float16, int64, int32, int16

_bind(Tensor, _import_module(__name__))
_explain_methods(Tensor)


def _jax(xp: _typing.Any) -> _Library:
    from tinygrad_poly.interop.jax import jax

    return jax(xp)


_register("cupy", lambda _: _cupy, device="cuda")
_register("jax", _jax)

# What a program may not need is imported when it is asked for: whole modules, and names in modules.
_MODULES = ("cuda", "func", "linalg", "nn", "optim", "testing", "utils")
_NAMES = {"fit": "fitting", "FitResult": "fitting", "compile": "compiler", "vmap": "func"}
_NAMES |= {"save": "saving", "load": "saving", "coach": "checking.coach"}


if not _typing.TYPE_CHECKING:  # a checker would take every name for one of the package's

    def __getattr__(name: str) -> _typing.Any:
        if name in _MODULES:
            return _import_module(f"tinygrad_poly.{name}")
        if name in _NAMES:
            return getattr(_import_module(f"tinygrad_poly.{_NAMES[name]}"), name)
        _refuse(__name__, name, __dir__(), _sys._getframe(1))


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_NAMES})
