"""Optimizers, as in `torch.optim`: how a gradient changes the weights."""

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.optim import lr_scheduler as lr_scheduler
from tinygrad_poly.optim.adagrad import Adadelta as Adadelta
from tinygrad_poly.optim.adagrad import Adagrad as Adagrad
from tinygrad_poly.optim.adagrad import RMSprop as RMSprop
from tinygrad_poly.optim.adam import Adam as Adam
from tinygrad_poly.optim.adam import Adamax as Adamax
from tinygrad_poly.optim.adam import AdamW as AdamW
from tinygrad_poly.optim.adam import NAdam as NAdam
from tinygrad_poly.optim.adam import RAdam as RAdam
from tinygrad_poly.optim.lbfgs import LBFGS as LBFGS
from tinygrad_poly.optim.optimizer import Optimizer as Optimizer
from tinygrad_poly.optim.sgd import ASGD as ASGD
from tinygrad_poly.optim.sgd import SGD as SGD
from tinygrad_poly.optim.sgd import Rprop as Rprop

_explain(__name__)
