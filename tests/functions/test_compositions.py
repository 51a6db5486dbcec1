"""Functions that are made of others: torch's values, gradients and dtypes, and what is refused."""

import math

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from ..helpers import UNIT_ROUNDOFF, dtype_name, numbers

inf, nan = math.inf, math.nan


def of(m, numbers, **options):
    return m.tensor(numbers, **options)


def f8(m, numbers):
    return m.tensor(numbers, dtype=m.float64)


CALLS = {
    "cummax": lambda m, x: tuple(m.cummax(x, 1)),
    "cummin": lambda m, x: tuple(x.cummin(-1)),
    "cummax 0": lambda m, x: tuple(m.cummax(of(m, 2.0), 0)),
    "cummax nan": lambda m, x: tuple(m.cummax(of(m, [1.0, nan, 3.0, nan, 2.0]), 0)),
    "cummin nan": lambda m, x: tuple(m.cummin(of(m, [1.0, nan, 3.0, nan, 2.0]), 0)),
    "logcumsumexp": lambda m, x: m.logcumsumexp(x * 3, 1),
    "logcumsumexp 2": lambda m, x: m.logcumsumexp(of(m, [-inf, -inf, 1.0, -1000.0, 1000.0, inf, 2]), 0),
    "logcumsumexp 3": lambda m, x: x.logcumsumexp(0),
    "lcsenan": lambda m, x: m.logcumsumexp(of(m, [1.0, nan, 3.0]), 0),
    "diff": lambda m, x: m.diff(x),
    "diff 2": lambda m, x: m.diff(x, n=2, dim=0),
    "diffp": lambda m, x: x.diff(dim=1, prepend=x[:, :1], append=x[:, 1:]),
    "diffb": lambda m, x: m.diff(of(m, [True, False, False])),
    "diff 9": lambda m, x: m.diff(x, n=9),
    "trapezoid": lambda m, x: m.trapezoid(x),
    "trapx": lambda m, x: m.trapezoid(x, x * 2, dim=0),
    "trapv": lambda m, x: m.trapezoid(x, of(m, [1.0, 2, 4], dtype=m.float64), dim=0),
    "trapd": lambda m, x: m.trapz(x, dx=0.5),
    "cumulative_trapezoid": lambda m, x: m.cumulative_trapezoid(x, dx=2, dim=0),
    "var _mean": lambda m, x: m.var_mean(x, 1),
    "std _mean": lambda m, x: m.std_mean(x, dim=(0, 1), keepdim=True),
    "var_mean": lambda m, x: m.var_mean(x, correction=0),
    "var_mean, unbiased": lambda m, x: m.var_mean(x, unbiased=False),
    "cov": lambda m, x: m.cov(x),
    "cov 1": lambda m, x: x[0].cov(correction=0),
    "covw": lambda m, x: m.cov(x, fweights=of(m, [1, 2, 1, 3])),
    "cova": lambda m, x: m.cov(x, aweights=of(m, [1.0, 2, 0.5, 3], dtype=m.float64)),
    "covb": lambda m, x: m.cov(x, fweights=of(m, [1, 2, 1, 3]), aweights=of(m, [1.0, 2, 0.5, 3], dtype=m.float64)),
    "corr": lambda m, x: m.corrcoef(x),
    "corr 1": lambda m, x: x[0].corrcoef(),
    "dist": lambda m, x: m.dist(x, x * x, 3),
    "cdist": lambda m, x: m.cdist(x, x[:2] * 2),
    "cdistb": lambda m, x: m.cdist(x.reshape(2, 3, 2), x.reshape(2, 3, 2) * 0.5, p=2.0),
    "cdist 0": lambda m, x: m.cdist(x, x),
    **{
        f"q{i}{d}{q}{k}": (
            lambda m, x, i=i, d=d, q=q, k=k: m.quantile(x, of(m, q, dtype=m.float64), d, k, interpolation=i)
        )
        for i in ("linear", "lower", "higher", "midpoint", "nearest")
        for d in (None, 0, 1)
        for q in (0.3, [0.0, 0.5, 1.0])
        for k in (False, True)
    },
    "quantile at a number": lambda m, x: m.quantile(x, 0.4),
    "quantile beside NaN": lambda m, x: m.quantile(m.where(x > 2.5, of(m, nan, dtype=m.float64), x), 0.3, 1),
    "nanquantile": lambda m, x: m.nanquantile(
        m.where(x > 2.0, of(m, nan, dtype=m.float64), x), of(m, [0.3, 0.6], dtype=m.float64), 1
    ),
    "nanquantile of NaN": lambda m, x: m.nanquantile(of(m, [nan, nan]), 0.3),
    "quantile of a number": lambda m, x: m.quantile(of(m, 2.0), 0.5),
    "bincount": lambda m, x: m.bincount(of(m, [1, 3, 3])),
    "bincountw": lambda m, x: m.bincount(of(m, [1, 3, 3]), of(m, [1.0, 2, 0.5]), minlength=7),
    "bincountf": lambda m, x: of(m, [1, 3, 3]).bincount(of(m, [1.0, 2, 0.5], dtype=m.float64)),
    "unique": lambda m, x: m.unique(of(m, [[3, 1], [3, 2]])),
    "uniq 3": lambda m, x: m.unique(of(m, [[3, 1], [3, 2]]), return_inverse=True, return_counts=True),
    "uniqd": lambda m, x: m.unique(of(m, [[3, 1], [2, 1], [3, 1]]), dim=0, return_inverse=True, return_counts=True),
    "uniqd 1": lambda m, x: m.unique(of(m, [[3, 1, 3], [2, 1, 2]]), dim=1, return_inverse=True),
    "unique_consecutive": lambda m, x: m.unique_consecutive(
        of(m, [1, 1, 2, 2, 1]), return_inverse=True, return_counts=True
    ),
    "ucd": lambda m, x: m.unique_consecutive(of(m, [[1, 1, 2], [1, 1, 2]]), dim=1, return_counts=True),
    "unique_consecutive 2": lambda m, x: m.unique_consecutive(of(m, [[1, 1], [1, 2]]), return_inverse=True),
    "uce": lambda m, x: m.unique_consecutive(of(m, [])),
    "histc": lambda m, x: m.histc(x.detach(), 4, -2, 2),
    "histc 0": lambda m, x: m.histc(x.detach(), 5),
    "searchsorted": lambda m, x: m.searchsorted(of(m, [1, 3, 5, 7]), of(m, [[0, 3], [7, 9]])),
    "ssr": lambda m, x: m.searchsorted(of(m, [[1, 3], [5, 7]]), of(m, [[3], [7]]), right=True),
    "searchsorted 0": lambda m, x: m.searchsorted(of(m, [1.0, 3]), 2.0),
    "ssi": lambda m, x: m.searchsorted(of(m, [1.0, 3]), of(m, 2.0), out_int32=True),
    "ssside": lambda m, x: m.searchsorted(of(m, [1.0, 3]), of(m, [3.0]), side="right"),
    "bucketize": lambda m, x: m.bucketize(of(m, [[0.0, 1.0], [2.0, 3.0]]), of(m, [1.0, 2.0])),
    "isin": lambda m, x: m.isin(of(m, [[1, 2], [3, 4]]), of(m, [2, 4]), invert=True),
    "isin 2": lambda m, x: m.isin(of(m, [1, 2]), 2),
    "isin 3": lambda m, x: m.isin(2, of(m, [1, 2])),
    "and": lambda m, x: m.bitwise_and(of(m, [6, 3]), of(m, [2, 1])),
    "ops": lambda m, x: ((of(m, [6, 3]) & 3) | 8) ^ of(m, [1, 1]),
    "shifts": lambda m, x: (of(m, [6, 3]) << 2, of(m, [6, 3]) >> 1, of(m, [6, 3]) << of(m, [1, 2])),
    "not": lambda m, x: ~of(m, [1, 2]),
    "rop": lambda m, x: (3 & of(m, [6, 3]), True | of(m, [True, False])),
    "rsh": lambda m, x: 1 << of(m, [6, 3]),
    "booland": lambda m, x: m.bitwise_xor(of(m, [True, False]), of(m, [True, True])),
    "u 8": lambda m, x: m.bitwise_left_shift(of(m, [6, 3], dtype=m.uint8), 1),
    "logaddexp 2": lambda m, x: m.logaddexp2(x, x * 2),
    "logit": lambda m, x: m.logit(x / 8 + 0.5),
    "logite": lambda m, x: x.logit(eps=0.1),
    "clampmin": lambda m, x: m.clamp_min(x, 0.5),
    "clampmax": lambda m, x: x.clamp_max(0.5),
    "clampmaxt": lambda m, x: x.clamp_max(x * x),
    "copysign": lambda m, x: m.copysign(x, x.flip(0)),
    "copysign 1": lambda m, x: m.copysign(x, -1.0),
    "copysign of integers": lambda m, x: m.copysign(of(m, [1, -2, 0]), of(m, [-1, 2, -3])),
    "copysign beside integers": lambda m, x: m.copysign(x, of(m, [-1, 2, -3])[:, None][:1]),
    "trace of integers": lambda m, x: m.trace(of(m, [[1, 2], [3, 4]], dtype=m.int32)),
    "nansum of integers": lambda m, x: m.nansum(of(m, [1, 2], dtype=m.uint8)),
    "frac": lambda m, x: m.frac(x * 1.25),
    "deg2rad": lambda m, x: m.deg2rad(x),
    "rad2deg": lambda m, x: x.rad2deg(),
    "xlogy": lambda m, x: m.xlogy(x, x * x + 0.5),
    "xlogyn": lambda m, x: m.xlogy(2.0, x * x + 0.5),
    "xlogym": lambda m, x: x.xlogy(2.0),
    "xlogyi": lambda m, x: m.xlogy(of(m, [0, 1, 2]), of(m, [0, 2, 3])),
    "d 2ri": lambda m, x: m.deg2rad(of(m, [90])),
    "fraci": lambda m, x: m.frac(of(m, [1.5])),
    "logiti": lambda m, x: m.logit(of(m, [0.0, 1.0, 0.5])),
    "atleast 1": lambda m, x: m.atleast_1d(of(m, 1.0), x),
    "atleast 2": lambda m, x: m.atleast_2d([of(m, 1.0), x[0], x]),
    "atleast 3": lambda m, x: tuple(m.atleast_3d(of(m, 1.0), x[0], x, x[None])),
    "atleast": lambda m, x: m.atleast_3d(x),
    "column_stack": lambda m, x: m.column_stack([x, x[:, 0]]),
    "column_stack 0": lambda m, x: m.column_stack([of(m, 1.0), of(m, 2.0)]),
    "dstack": lambda m, x: m.dstack([x, x]),
    "dstack 1": lambda m, x: m.dstack((x[0], x[1])),
    "row_stack": lambda m, x: m.row_stack([x, x[0]]),
    "fliplr": lambda m, x: m.fliplr(x),
    "flipud": lambda m, x: x.flipud(),
    "hsplit": lambda m, x: m.hsplit(x, 2),
    "hsplit 1": lambda m, x: x[0].hsplit([1, 3]),
    "vsplit": lambda m, x: m.vsplit(x, 3),
    "dsplit": lambda m, x: m.dsplit(x[None], 2),
    "block_diag": lambda m, x: m.block_diag(x, of(m, 2.0, dtype=m.float64), x[0]),
    "cartesian_prod": lambda m, x: m.cartesian_prod(x[0], x[1]),
    "cartesian_prod 1": lambda m, x: m.cartesian_prod(x[0]),
    "cartesian_prod 3": lambda m, x: m.cartesian_prod(x[0], x[1], x[2]),
    "combinations": lambda m, x: m.combinations(x[0], 3),
    "combr": lambda m, x: m.combinations(x[0], 2, True),
    "combinations 0": lambda m, x: m.combinations(x[0], 9),
    "baddbmm": lambda m, x: m.baddbmm(x[:, :3], x[None], x.T[None], beta=0.5, alpha=2),
    "addbmm": lambda m, x: m.addbmm(x[:, :3], x[None], x.T[None]),
    "addmv": lambda m, x: x[:, 0].addmv(x, x[0], beta=2),
    "addr": lambda m, x: m.addr(x, x[:, 0], x[0], alpha=3),
    "addr 0": lambda m, x: m.addmv((x[:, 0] * nan).detach(), x, x[0], beta=0),
    "ifill": lambda m, x: m.index_fill(x, 1, of(m, [0, 2]), 7.0),
    "icopy": lambda m, x: m.index_copy(x, 0, of(m, [2, 0]), x[:2] * 2),
    "masked_scatter": lambda m, x: x.masked_scatter(x > 0, x.flip(0) * 3),
    "masked_scatter 2": lambda m, x: m.masked_scatter(x, of(m, [True, False, True, False]), x * 3),
    "icopy 0": lambda m, x: of(m, 1.0).index_copy(0, of(m, 0), of(m, 3.0)),
    "sri": lambda m, x: m.scatter_reduce(of(m, [1, 2]), 0, of(m, [0, 0, 0]), of(m, [3, 5, 6]), "mean"),
    "sria": lambda m, x: m.scatter_reduce(
        of(m, [1, 2]), 0, of(m, [0, 0, 0]), of(m, [3, -5, 6]), "amin", include_self=False
    ),
    "sr 0": lambda m, x: m.scatter_reduce(x, 0, of(m, [[0], [0]]), x[:2, 1:2] * 0 + x[0, 0].detach(), "amax"),
    "srr": lambda m, x: x.scatter_reduce(0, of(m, [[0], [0]]), x[:2, 1:2], reduce="sum"),
    "iand": lambda m, x: (lambda t: [t.__iand__(3), t.__ilshift__(2), t.bitwise_or_(1)][-1])(of(m, [6, 3])),
    "xlogy _": lambda m, x: of(m, [2.0]).xlogy_(of(m, [3.0])),
    **{
        f"scatter_reduce {r} {s}": (
            lambda m, x, r=r, s=s: m.scatter_reduce(
                x, 1, of(m, [[0, 0, 3], [1, 1, 1]]), (x[:2] * 2)[:, :3], r, include_self=s
            )
        )
        for r in ("sum", "prod", "mean", "amax", "amin")
        for s in (True, False)
    },
}


def answers(m, call):
    """The results, and the gradients of a weighted sum of those that have one."""
    x = f8(m, np.random.default_rng(2).integers(-6, 7, (3, 4)) / 2).requires_grad_()
    found = call(m, x)
    found = list(found) if isinstance(found, (tuple, list)) else [found]
    weighted = [
        (y * m.cos(f8(m, np.arange(y.numel())).reshape(tuple(y.shape)))).sum() for y in found if y.requires_grad
    ]
    if weighted:
        (gradient,) = (tg.grad if m is tg else torch.autograd.grad)(sum(weighted), [x], allow_unused=True)
        found += [] if gradient is None else [gradient]
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_composed_function_gives_what_it_gives_in_torch(call):
    for mine, reference in zip(answers(tg, call), answers(torch, call), strict=True):
        assert tuple(mine.shape) == tuple(reference.shape)
        assert dtype_name(mine) == dtype_name(reference)
        # Numbers of a few hundred at most, and some tens of roundings.
        unit = UNIT_ROUNDOFF.get(dtype_name(mine), 0.0)
        mine, reference = numbers(mine), numbers(reference)
        if not unit:
            np.testing.assert_array_equal(mine, reference)
        else:
            scale = np.abs(reference[np.isfinite(reference)]).max(initial=1.0)
            np.testing.assert_allclose(mine, reference, rtol=0, atol=200 * unit * scale)


REFUSED = {
    "bits of fractions": (lambda: tg.ones(2) & tg.ones(2), DtypeError, "integers and booleans"),
    "a shift by a fraction": (lambda: tg.bitwise_left_shift(tg.tensor([1]), 1.5), DtypeError, "integers and booleans"),
    "bits of text": (lambda: tg.bitwise_and(tg.tensor([1]), "a"), DtypeError, "not str"),
    "negative counts": (lambda: tg.bincount(tg.tensor([-1])), ValueError, "from 0 on"),
    "counts of fractions": (lambda: tg.bincount(tg.tensor([1.5])), ValueError, "vector of integers"),
    "no tensor": (lambda: tg.unique([1]), DtypeError, "expects a tensor"),
    "a fraction above 1": (lambda: tg.quantile(tg.ones(3), 1.5), ValueError, "from 0 to 1"),
    "another interpolation": (lambda: tg.quantile(tg.ones(3), 0.5, interpolation="cubic"), ValueError, "one of linear"),
    "quantile of nothing": (lambda: tg.quantile(tg.zeros(0), 0.5), ShapeError, "no elements"),
    "quantile of integers": (lambda: tg.quantile(tg.tensor([1]), 0.5), DtypeError, "floating-point"),
    "choices of a matrix": (lambda: tg.combinations(tg.ones(2, 2)), ShapeError, "a vector"),
    "a mask of integers": (lambda: tg.ones(2).masked_scatter(tg.tensor([1, 0]), tg.ones(2)), DtypeError, "boolean"),
    "too few values": (lambda: tg.ones(2).masked_scatter(tg.tensor([True, True]), tg.ones(1)), ShapeError, "has 1"),
    "another reduction": (
        lambda: tg.scatter_reduce(tg.ones(2), 0, tg.tensor([0]), tg.ones(1), "max"), ValueError, "amax"
    ),
    "an index out of range": (
        lambda: tg.scatter_reduce(tg.ones(2), 0, tg.tensor([5]), tg.ones(1), "sum"), IndexError, "5 is out of bounds"
    ),
    "an index of slices": (lambda: tg.index_fill(tg.ones(2), 0, tg.tensor([[0]]), 1.0), ShapeError, "1 dimensions"),
    "unequal parts": (lambda: tg.hsplit(tg.ones(3), 2), ShapeError, "not 2 equal parts"),
    "parts of the rows of a vector": (lambda: tg.vsplit(tg.ones(4), 2), ShapeError, "2 dimensions or more"),
    "parts of a matrix in depth": (lambda: tg.dsplit(tg.ones(4, 4), 2), ShapeError, "3 dimensions or more"),
    "distances of other lengths": (lambda: tg.cdist(tg.ones(2, 3), tg.ones(2, 2)), ShapeError, "cdist"),
    "covariances of a stack": (lambda: tg.cov(tg.ones(2, 2, 2)), ShapeError, "vector or a matrix"),
    "differences taken -1 times": (lambda: tg.diff(tg.ones(2), n=-1), ValueError, "how often"),
    "rows that do not fit": (lambda: tg.searchsorted(tg.ones(2, 2), tg.ones(3, 1)), ShapeError, "do not fit"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_composed_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_sum_of_logarithms_keeps_its_gradient_where_numbers_lie_far_apart():
    x = tg.tensor([0.0, 1000.0, -1000.0, 1000.0], dtype=tg.float64, requires_grad=True)
    y = tg.logcumsumexp(x, 0)
    rows = [tg.grad(y[i], x, retain_graph=True)[0].tolist() for i in range(4)]
    assert rows == [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.5]]


def test_equal_extremes_share_the_slope_of_a_scattered_one():
    x = tg.tensor([3.0, 3.0, 1.0], requires_grad=True)
    tg.scatter_reduce(tg.tensor([3.0]), 0, tg.tensor([0, 0, 0]), x, "amax").backward()
    assert x.grad.tolist() == pytest.approx([1 / 3, 1 / 3, 0.0])
