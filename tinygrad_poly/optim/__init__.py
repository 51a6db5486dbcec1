"""Optimizers, as in `torch.optim`: how a gradient changes the weights."""

from tinygrad_poly.optim import lr_scheduler as lr_scheduler
from tinygrad_poly.optim.adagrad import Adagrad as Adagrad
from tinygrad_poly.optim.adam import Adam as Adam
from tinygrad_poly.optim.adam import AdamW as AdamW
from tinygrad_poly.optim.lbfgs import LBFGS as LBFGS
from tinygrad_poly.optim.optimizer import Optimizer as Optimizer
from tinygrad_poly.optim.rmsprop import RMSprop as RMSprop
from tinygrad_poly.optim.sgd import SGD as SGD

__all__ = ["LBFGS", "SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
