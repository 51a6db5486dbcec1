"""Functions made of functions: gradients, products, Jacobians, Hessians and `vmap`, as in `torch.func`.

Each takes a function and returns its derivative, or values of it. None of them needs `requires_grad`,
none touches a `grad`, and each may be used inside another.
"""

from tinygrad_poly._missing import explain as _explain
from tinygrad_poly.func.gradients import grad as grad
from tinygrad_poly.func.gradients import grad_and_value as grad_and_value
from tinygrad_poly.func.gradients import value_and_grad as value_and_grad
from tinygrad_poly.func.jacobians import hessian as hessian
from tinygrad_poly.func.jacobians import jacfwd as jacfwd
from tinygrad_poly.func.jacobians import jacobian as jacobian
from tinygrad_poly.func.jacobians import jacrev as jacrev
from tinygrad_poly.func.modules import functional_call as functional_call
from tinygrad_poly.func.modules import stack_module_state as stack_module_state
from tinygrad_poly.func.products import hvp as hvp
from tinygrad_poly.func.products import jvp as jvp
from tinygrad_poly.func.products import linearize as linearize
from tinygrad_poly.func.products import vjp as vjp
from tinygrad_poly.func.vmap import vmap as vmap

_explain(__name__)
