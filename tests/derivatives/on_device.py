"""A case of the derivative table on a device: value, gradient and second gradient, and where they are."""

import numpy as np

import tinygrad_poly as tg

from ..helpers import cotangent, ours
from .checks import Case


def value_and_gradients(case: Case, shapes, dtype, device):
    """Tensors, all of them on `device`."""
    rng = np.random.default_rng([len(shapes), *(n for shape in shapes for n in shape)])
    inputs = [ours(a, dtype).detach().to(device).requires_grad_() for a in case.inputs(rng, shapes)]
    y = case.call(tg, *inputs)
    v = tg.tensor(cotangent(rng, y.shape), dtype=y.dtype, device=device)
    first = tg.grad(y, inputs, v, create_graph=True)
    bent = [(g * g).sum() for g in first if g.requires_grad]
    second = tg.grad(bent, inputs, retain_graph=True, allow_unused=True) if bent else ()
    y.backward(v)
    gradients = [*first, *(g for g in second if g is not None), *(x.grad for x in inputs)]
    assert all(t.device == tg.device(device) for t in [y, *gradients])
    assert all(g.dtype == inputs[0].dtype for g in gradients)
    return [y, *gradients]
