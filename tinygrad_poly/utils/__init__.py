"""Tools around training, as in `torch.utils`: data in batches."""

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.utils import data as data

_explain(__name__)
