"""NumPy's functions that HIPS autograd differentiates: tensors get its values and gradients, or are refused by name.

The list is autograd's own, so that a function that it learns has to be tried here too.
"""

import numpy as np
import pytest

import tinygrad_poly as tg

from ..helpers import numbers

anp = pytest.importorskip("autograd.numpy", reason="HIPS autograd is not installed (extra: peers)")

X = np.array([[0.5, 2.0, 1.25], [1.5, 0.25, 0.75]])
CUBE = np.arange(1.0, 13.0).reshape(2, 3, 2)
SQUARE = np.array([[4.0, 1.0], [1.0, 3.0]])
# Functions of one argument, unless a call is given.
TWO = "add arctan2 divide fmax fmin hypot logaddexp logaddexp2 maximum minimum multiply power remainder subtract"
CALLS = {name: f"m.{name}(x, x * x)" for name in TWO.split()} | dict(
    line.split(": ")
    for line in """
arccosh: m.arccosh(x + 1)
arctanh: m.arctanh(x / 4)
arcsin: m.arcsin(x / 4)
arccos: m.arccos(x / 4)
array_split: m.array_split(x, 2, 1)[0]
broadcast_to: m.broadcast_to(x[:1], (4, 3))
clip: m.clip(x, 0.4, 1.4)
convolve: m.convolve(x[0], x[1], mode='full')
cross: m.cross(x, x[::-1] * x)
diag: m.diag(x[0])
dot: m.dot(x, x.T)
astype: x.astype(float) if not hasattr(x, "requires_grad") else m.astype(x, float)
dsplit: m.dsplit(x.reshape(1, 2, 3), 3)[1]
einsum: m.einsum('ij,kj->ik', x, x)
expand_dims: m.expand_dims(x, 1)
hsplit: m.hsplit(x, 3)[2]
inner: m.inner(x, x)
kron: m.kron(x, x[:1])
linspace: m.linspace(x[0, 0], x[0, 1], 4)
matmul: m.matmul(x, x.T)
moveaxis: m.moveaxis(CUBE * x[:, :, None], 0, -1)
outer: m.outer(x[0], x[1])
pad: m.pad(x, 1, 'constant')
partition: m.partition(x[0], 1)[1]
gradient: m.gradient(m.reshape(x, -1))
repeat: m.repeat(x, 2, axis=1)
reshape: m.reshape(x, (3, 2))
roll: m.roll(x, 1, axis=1)
rollaxis: m.rollaxis(CUBE * x[:, :, None], 2)
split: m.split(x, 3, axis=1)[0]
squeeze: m.squeeze(x[:1])
swapaxes: m.swapaxes(x, 0, 1)
tensordot: m.tensordot(x, x, axes=([1], [1]))
tile: m.tile(x, (2, 2))
vsplit: m.vsplit(x, 2)[0]
where: m.where(X > 1, x, 2 * x)
diff: m.diff(x, axis=0)
fftshift: m.fft.fftshift(x)
ifftshift: m.fft.ifftshift(x)
cholesky: m.linalg.cholesky(SQUARE + m.dot(x, x.T))
diagonal: m.diagonal(x[:, :2], axis1=-1, axis2=-2)
det: m.linalg.det(SQUARE + m.dot(x, x.T))
inv: m.linalg.inv(SQUARE + m.dot(x, x.T))
eigh: m.linalg.eigh(SQUARE + m.dot(x, x.T))[0]
norm: m.linalg.norm(x)
pinv: m.linalg.pinv(x)
slogdet: m.linalg.slogdet(SQUARE + m.dot(x, x.T))[1]
solve: m.linalg.solve(SQUARE, x)
svd: m.linalg.svd(x, full_matrices=False)[1]
trace: m.trace(m.dot(x, x.T))
imag: m.imag(x) * x
angle: m.angle(x) * x
sort: m.sort(x[0])
""".strip().splitlines()
)
REFUSED = {
    **dict.fromkeys(("fft", "fft2", "fftn", "ifft", "ifft2", "ifftn"), "complex"),
    **dict.fromkeys(("rfft", "rfft2", "rfftn", "irfft", "irfft2", "irfftn"), "complex"),
    "eig": "complex",
    "i0": "Bessel functions are left to SciPy's users",
    "full": "NumPy hands it no tensors: full_like",
}


def differentiated():
    """The functions of NumPy's that autograd has derivatives of."""
    from autograd.core import primitive_vjps

    names = {getattr(f, "fun", f).__name__ for f in primitive_vjps}
    known = {*dir(np), *dir(np.linalg), *dir(np.fft)} - {"linalg", "random"}
    return sorted(names & known - {"gamma", "beta"})


@pytest.mark.parametrize("name", [name for name in differentiated() if name not in REFUSED])
def test_a_function_has_the_value_and_the_gradient_of_autograd(name):
    import autograd

    call = compile(CALLS.get(name, f"m.{name}(x)"), "<call>", "eval")

    def act(m, x):
        return eval(call, {"m": m, "x": x, "X": X, "CUBE": CUBE, "SQUARE": SQUARE})

    value = np.asarray(act(anp, X))
    weights = np.cos(np.arange(value.size)).reshape(value.shape)
    expected = autograd.grad(lambda x: anp.sum(act(anp, x) * weights))(X)
    x = tg.tensor(X, requires_grad=True)
    y = act(np, x)
    assert isinstance(y, tg.Tensor)
    (gradient,) = tg.grad((y * weights).sum(), x)
    # κ of the matrices is below 10, and each is used a few times.
    np.testing.assert_allclose(numbers(y), value, rtol=0, atol=1e3 * 2.0**-53 * max(1, np.abs(value).max()))
    np.testing.assert_allclose(
        numbers(gradient), expected, rtol=0, atol=1e4 * 2.0**-53 * max(1, np.abs(expected).max())
    )


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_derivative_here_is_refused_by_name(name):
    family = next(m for m in (np.fft, np.linalg, np) if hasattr(m, name) and callable(getattr(m, name)))
    x = tg.tensor(SQUARE, requires_grad=True)
    with pytest.raises((TypeError, RuntimeError), match=r"detach|no derivative|requires grad|Input should be a NumPy"):
        np.full((2, 2), x) if name == "full" else getattr(family, name)(x)
