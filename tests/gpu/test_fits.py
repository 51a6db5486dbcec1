"""Creation, training and fits on a GPU, against the CPU; and CuPy itself, against what stands in for it elsewhere."""

import math

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DivergenceError, SingularMatrixError

from ..interop import cupy_on_cpu

if not tg.cuda.is_available():
    pytest.skip("needs CuPy and a GPU", allow_module_level=True)


def cubic(params, x, y):
    a, b, c, d = params
    return (a + b * x + c * x**2 + d * x**3 - y).pow(2).sum()


def fitted(device, **options):
    x = tg.linspace(-math.pi, math.pi, 2000, dtype=tg.float64).to(device)
    how = {"steps": 300, "lr": 1e-6, "progress": False} | options
    return tg.fit(cubic, [0.5, -0.3, 0.2, 0.1], x, x.cpu().sin().to(device), **how)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adagrad", "adamw"])
def test_a_fit_is_that_of_the_cpu(optimizer):
    mine, reference = (fitted(device, optimizer=optimizer) for device in ("cuda", "cpu"))
    assert mine.losses.keys() == reference.losses.keys()
    # A sum of 2000 terms in another order is off by at most 2000 u of the sum of their sizes, in each of 300 steps.
    allowed = 300 * 2000 * 2.0**-53
    assert list(mine.losses.values()) == pytest.approx(list(reference.losses.values()), rel=allowed)
    assert [w.item() for w in mine.params] == pytest.approx([w.item() for w in reference.params], rel=allowed * 100)
    assert all(w.is_cuda for w in mine.params)


def test_a_divergence_is_found_at_the_step_of_the_cpu():
    steps = []
    for device in ("cuda", "cpu"):
        with pytest.raises(DivergenceError) as caught:
            fitted(device, lr=1e-4)
        assert all(math.isfinite(w.item()) for w in caught.value.result.params)
        steps.append(caught.value.step)
    assert steps[0] == steps[1]


def test_tensors_are_made_there():
    for made in (tg.zeros(3, device="cuda"), tg.arange(3, device="cuda"), tg.eye(2, device="cuda"),
                 tg.rand(4, device="cuda"), tg.randn(4, dtype=tg.float64, device="cuda")):  # fmt: skip
        assert made.device == tg.device("cuda:0")
    x, expected = (tg.linspace(-math.pi, math.pi, 2001, device=d).cpu().numpy() for d in ("cuda", "cpu"))
    np.testing.assert_array_equal(x, expected)
    x, expected = (
        tg.linspace(-math.pi, math.pi, 2001, dtype=tg.float64, device=d).cpu().numpy() for d in ("cuda", "cpu")
    )
    assert np.all(np.abs(x - expected) <= 3 * 2.0**-53 * math.pi)


@pytest.mark.parametrize("draw", [tg.rand, tg.randn])
def test_random_numbers_have_their_distribution(draw):
    tg.manual_seed(0)
    x = draw(100_000, device="cuda")
    tg.manual_seed(0)
    assert draw(100_000, device="cuda").tolist() == x.tolist()
    mean, deviation = (0.5, math.sqrt(1 / 12)) if draw is tg.rand else (0.0, 1.0)
    # six standard errors
    assert abs(x.mean().item() - mean) < 6 * deviation / math.sqrt(100_000)
    assert abs(x.std().item() - deviation) < 6 * deviation / math.sqrt(100_000)


def test_a_singular_matrix_is_an_error():
    stack = tg.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]], device="cuda")
    for function in (tg.linalg.inv, tg.linalg.cholesky, lambda a: tg.linalg.solve(a, a)):
        with pytest.raises(SingularMatrixError):
            function(stack)


def test_more_than_there_is_memory_is_an_error():
    everything = tg.cuda.mem_get_info()[1]
    with pytest.raises(MemoryError, match="Out of memory allocating"):
        tg.zeros(everything, dtype=tg.float64, device="cuda")


def test_cupy_is_what_stands_in_for_it():
    import cupy

    if hasattr(cupy, "counts"):
        pytest.skip("this is the stand-in itself")
    assert not cupy_on_cpu.differences(cupy)
