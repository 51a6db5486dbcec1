"""Data in batches, as in `torch.utils.data`: data sets, samplers, and the loader that puts them together."""

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.utils.data.datasets import ConcatDataset as ConcatDataset
from tinygrad_poly.utils.data.datasets import Dataset as Dataset
from tinygrad_poly.utils.data.datasets import Subset as Subset
from tinygrad_poly.utils.data.datasets import TensorDataset as TensorDataset
from tinygrad_poly.utils.data.datasets import random_split as random_split
from tinygrad_poly.utils.data.loader import DataLoader as DataLoader
from tinygrad_poly.utils.data.loader import default_collate as default_collate
from tinygrad_poly.utils.data.loader import default_convert as default_convert
from tinygrad_poly.utils.data.samplers import BatchSampler as BatchSampler
from tinygrad_poly.utils.data.samplers import RandomSampler as RandomSampler
from tinygrad_poly.utils.data.samplers import Sampler as Sampler
from tinygrad_poly.utils.data.samplers import SequentialSampler as SequentialSampler
from tinygrad_poly.utils.data.samplers import SubsetRandomSampler as SubsetRandomSampler
from tinygrad_poly.utils.data.samplers import WeightedRandomSampler as WeightedRandomSampler

_explain(__name__)
