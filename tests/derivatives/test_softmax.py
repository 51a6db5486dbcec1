import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg

INF = math.inf
POINTS = {
    "all minus infinite": [-INF, -INF],
    "one infinite": [INF, 1.0],
    "one minus infinite": [-INF, 1.0],
    "all infinite": [INF, INF],
    "nan": [math.nan, 1.0],
    "far apart": [-1000.0, 1000.0],
    "none": [],
}


@pytest.mark.parametrize("at", POINTS.values(), ids=POINTS)
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_value_and_slope_at_special_points_are_torchs(name, at):
    found = []
    for m in (tg, torch):
        x = m.tensor(at, dtype=m.float64, requires_grad=True)
        with np.errstate(all="ignore"):
            y = getattr(m, name)(x, 0)
            y.backward(m.ones_like(y) if y.ndim == 0 else m.arange(1, len(at) + 1) * m.ones_like(y))
        found.append([np.ravel(y.tolist()), x.grad.tolist()])
    for mine, reference in zip(*found, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=40 * 2.0**-53, atol=0)


@pytest.mark.parametrize("at", [[1000.0, 999.0], [-1000.0, -1001.0], [-INF, 0.0]])
def test_nothing_overflows(at):
    x = tg.tensor(at, requires_grad=True)
    with np.errstate(all="raise"):
        for y in (x.logsumexp(0), x.softmax(0)[0], x.log_softmax(0)[1]):
            assert np.isfinite(tg.grad(y, x)[0].numpy()).all()


def test_the_logarithm_of_a_sum_of_nothing_is_minus_infinity_without_a_warning():
    assert tg.zeros(2, 0).logsumexp(1).tolist() == [-INF, -INF]
    assert tg.full((2,), -INF).logsumexp(0).item() == -INF
