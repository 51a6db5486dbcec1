"""The same seed gives torch's numbers."""

import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from .helpers import DTYPES, assert_like, both, numbers

COUNTS = [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 100, 2001]
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def drawn(function, seed, dtype, *shape):
    results = []
    for m in (tg, torch):
        m.manual_seed(seed)
        results.append(getattr(m, function)(*shape, dtype=getattr(m, dtype)))
    return results


@each_dtype
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("seed", [0, 1, 1234, 2**32 - 1, 2**40 + 3, -1, -5])
def test_uniform_numbers_are_torchs(seed, count, dtype):
    assert_like(*drawn("rand", seed, dtype, count))


@each_dtype
@pytest.mark.parametrize("count", [count for count in COUNTS if count < 16])
@pytest.mark.parametrize("seed", [0, 1, 1234])
def test_a_few_normal_numbers_are_torchs(seed, count, dtype):
    # Both draw one at a time, with the C library's log, cos and sin in float64.
    assert_like(*drawn("randn", seed, dtype, count))


@each_dtype
@pytest.mark.parametrize("count", [count for count in COUNTS if count >= 16])
@pytest.mark.parametrize("seed", [0, 1, 1234])
def test_many_normal_numbers_are_torchs_up_to_the_rounding_of_log_and_cosine(seed, count, dtype):
    """√(−2 log u) · cos v: NumPy's and torch's vectorised functions differ in the last bits.

    In units u = 2⁻²⁴ or 2⁻⁵³, with 8u for a library function of 4 ulp and 2u for one of 1 ulp:
    log differs by 10u relatively, halved by the root, which adds 2u; the product adds 2u: 9u together.
    The cosine differs by 10u of *its* size, but the angle 2πv, up to 2π, is rounded in each library
    (2u of the angle), which moves cos and sin by 4πu, whatever their size: 22u with the 10u, times the radius.
    """
    mine, reference = (numbers(t).astype(np.float64) for t in drawn("randn", seed, dtype, count))
    radius = np.sqrt(-2 * math.log(2.0**-24 if dtype == "float32" else 2.0**-53))
    u = 2.0**-24 if dtype == "float32" else 2.0**-53
    assert np.all(np.abs(mine - reference) <= 9 * u * np.abs(reference) + (10 + 4 * math.pi) * u * radius)


def test_shapes_do_not_change_the_stream():
    for m in (tg, torch):
        m.manual_seed(7)
        flat = m.rand(6).tolist()
        m.manual_seed(7)
        assert [n for row in m.rand(2, 3).tolist() for n in row] == flat
        m.manual_seed(7)
        assert [m.rand(()).item(), *m.rand((5,)).tolist()] == flat


@each_dtype
def test_mixed_draws_stay_in_step(dtype):
    results = []
    for m in (tg, torch):
        m.manual_seed(3)
        kind = getattr(m, dtype)
        draws = [m.randn(3, dtype=kind), m.rand(2, dtype=kind), m.randn((), dtype=kind), m.rand(17, dtype=kind)]
        draws += [m.randn(2, 2, dtype=kind), m.rand(1, dtype=m.float64), m.randn(1, dtype=m.float32)]
        m.manual_seed(3)
        draws.append(m.randn((), dtype=kind))  # the spare number of a pair is forgotten
        results.append(draws)
    for mine, reference in zip(*results, strict=True):
        assert_like(mine, reference)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 4), (1, 20), (7, 1), (100, 10)])
def test_linear_layers_start_as_torchs(inputs, outputs):
    layers = []
    for m in (tg, torch):
        m.manual_seed(42)
        layers.append([m.nn.Linear(inputs, outputs), m.nn.Linear(outputs, 2, bias=False)])
    for mine, reference in zip(*layers, strict=True):
        assert_like(mine.weight, reference.weight)
    assert_like(layers[0][0].bias, layers[1][0].bias)


def test_seeds_differ_and_repeat():
    def numbers_of(seed):
        tg.manual_seed(seed)
        return tg.rand(5).tolist()

    assert numbers_of(1) == numbers_of(1) != numbers_of(2)


def test_numpys_global_stream_is_not_touched():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - the global stream is what is asked about
    tg.manual_seed(5)
    tg.rand(10)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@both
def test_random_numbers_can_require_grad(m):
    for x in (m.rand(1, requires_grad=True), m.randn((), device=m.device("cpu"), dtype=m.float, requires_grad=True)):
        assert (x.requires_grad, x.is_leaf) == (True, True)


def test_random_numbers_come_in_the_default_dtype():
    assert tg.rand(1).dtype == np.float32
    tg.set_default_dtype(tg.float64)
    try:
        assert tg.randn(1).dtype == np.float64
    finally:
        tg.set_default_dtype(tg.float32)


def test_other_dtypes_and_negative_sizes_are_refused():
    with pytest.raises(DtypeError, match="int64"):
        tg.rand(2, dtype=tg.int64)
    with pytest.raises(ShapeError, match=r"\(-1,\)"):
        tg.rand(-1)


def test_the_distributions_have_their_moments():
    tg.manual_seed(0)
    n = 100_000
    uniform, normal = tg.rand(n, dtype=tg.float64), tg.randn(n, dtype=tg.float64)
    # five standard deviations of each average
    assert abs(uniform.mean().item() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    assert abs(normal.mean().item()) < 5 / math.sqrt(n)
    assert abs((normal * normal).mean().item() - 1) < 5 * math.sqrt(2 / n)
    assert 0 <= min(uniform.tolist()) <= max(uniform.tolist()) < 1
