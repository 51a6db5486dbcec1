"""Tools around training, as in `torch.utils`: data in batches."""

from tinygrad_poly.utils import data as data
