"""Initial weights are torch's for a seed, and leave torch's generator where torch would."""

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import ShapeError

from ..helpers import DTYPES, both, numbers

CALLS = [
    ("uniform_", (3, 4), {}),
    ("uniform_", (5, 4), {"a": -2.0, "b": 3.0}),
    ("normal_", (3, 2), {}),
    ("normal_", (5, 4), {"mean": 1.0, "std": 0.5}),
    ("trunc_normal_", (6, 5), {}),
    ("trunc_normal_", (6, 5), {"mean": 0.5, "std": 0.5, "a": 0.25, "b": 1.0}),
    ("trunc_normal_", (6, 5), {"a": 1.0, "b": 1.5}),
    ("constant_", (2, 3), {"val": 0.3}),
    ("ones_", (2, 3), {}),
    ("zeros_", (2, 3), {}),
    ("eye_", (2, 3), {}),
    ("eye_", (3, 2), {}),
    ("dirac_", (3, 2, 3), {}),
    ("dirac_", (4, 3, 3, 2), {"groups": 2}),
    ("dirac_", (2, 2, 3, 3, 1), {}),
    ("xavier_uniform_", (3, 4), {}),
    ("xavier_uniform_", (3, 4, 2, 2), {"gain": 2.0}),
    ("xavier_normal_", (3, 4, 5), {}),
    ("kaiming_uniform_", (3, 4), {"a": 5**0.5}),
    ("kaiming_uniform_", (3, 4, 2, 2), {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", (3, 4), {}),
    ("kaiming_normal_", (3, 8, 3), {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("sparse_", (6, 4), {"sparsity": 0.4}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "shape", "options"), CALLS, ids=str)
def test_initial_weights_are_torchs(name, shape, options, dtype):
    found = []
    for m in (tg, torch):
        m.manual_seed(5)
        w = m.nn.Parameter(m.zeros(*shape, dtype=getattr(m, dtype)))
        if name in ("uniform_", "trunc_normal_", "xavier_normal_", "kaiming_uniform_", "sparse_"):
            options = options | {"generator": m.Generator().manual_seed(7)}
        assert getattr(m.nn.init, name)(w, **options) is w
        assert w.requires_grad
        assert w.is_leaf
        found.append((numbers(w.detach()), m.rand(2).tolist()))
    # Torch computes the logarithm and cosine of normal numbers with other instructions, in blocks of sixteen.
    u = np.finfo(dtype).eps
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=8 * u, atol=8 * u, strict=True)
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (4, 2, 3)], ids=str)
def test_orthogonal_weights_are_torchs_but_for_the_rounding_of_lapack(shape):
    found = []
    for m in (tg, torch):
        m.manual_seed(5)
        found.append((numbers(m.nn.init.orthogonal_(m.zeros(*shape, dtype=m.float64), gain=2.0)), m.rand(1).item()))
    # The condition of so few normal numbers is below 100.
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=0, atol=100 * 20 * np.finfo(float).eps)
    assert found[0][1] == found[1][1]
    flat = found[0][0].reshape(shape[0], -1) / 2
    short = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(short, np.eye(len(short)), atol=20 * np.finfo(float).eps)


@both
@pytest.mark.parametrize(
    ("name", "param"), [("linear", None), ("conv2d", None), ("tanh", None), ("relu", None), ("selu", None),
                        ("sigmoid", None), ("leaky_relu", None), ("leaky_relu", 0.2)],
)  # fmt: skip
def test_gains(m, name, param):
    assert m.nn.init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)


@both
def test_what_makes_no_sense_is_refused(m):
    init, x = m.nn.init, m.zeros(3)
    for call in (
        lambda: init.calculate_gain("step"),
        lambda: init.calculate_gain("leaky_relu", True),
        lambda: init.eye_(x),
        lambda: init.dirac_(m.zeros(2, 2)),
        lambda: init.dirac_(m.zeros(3, 2, 2), groups=2),
        lambda: init.xavier_normal_(x),
        lambda: init.kaiming_normal_(m.zeros(2, 2), mode="fan"),
        lambda: init.orthogonal_(x),
        lambda: init.sparse_(x, 0.5),
    ):
        with pytest.raises(ValueError, match=r"."):
            call()
    assert init.orthogonal_(m.zeros(0, 2)).shape == (0, 2)
    for call in (lambda: init.kaiming_normal_(m.zeros(0, 2)), lambda: init.trunc_normal_(x, 5.0, 1.0, a=1.0)):
        with pytest.warns(UserWarning, match=r"element|more than 2 std"):
            call()


def test_refusals_print_the_shape():
    with pytest.raises(ShapeError, match=r"2 dimensions, not \(3,\)"):
        tg.nn.init.eye_(tg.zeros(3))
    with pytest.raises(ShapeError, match="3 channels do not divide into 2 groups"):
        tg.nn.init.dirac_(tg.zeros(3, 2, 2), groups=2)
    with pytest.raises(ValueError, match="no gain is known of 'step'; those known: leaky_relu, linear"):
        tg.nn.init.calculate_gain("step")
