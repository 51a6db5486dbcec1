"""Neural networks: models made of layers, as in `torch.nn`.

Every module that a family's file defines without an underscore is public.
"""

from typing import TYPE_CHECKING

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly._public import publish as _publish
from tinygrad_poly.nn import functional as functional
from tinygrad_poly.nn import init as init
from tinygrad_poly.nn import utils as utils
from tinygrad_poly.nn.module import Module as Module
from tinygrad_poly.nn.module import Parameter as Parameter

if TYPE_CHECKING:
    from tinygrad_poly.nn.activations import *
    from tinygrad_poly.nn.containers import *
    from tinygrad_poly.nn.convolution import *
    from tinygrad_poly.nn.layers import *
    from tinygrad_poly.nn.losses import *
    from tinygrad_poly.nn.normalization import *
else:
    _publish(__name__, ".activations", ".containers", ".convolution", ".layers", ".losses", ".normalization")

_explain(__name__)
