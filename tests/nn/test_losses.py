"""Losses are torch's: values, gradients and second gradients, with every option and reduction."""

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, ShapeError

from ..helpers import DTYPES, UNIT_ROUNDOFF, assert_like, both, cotangent, halves, leaf, numbers, ours, theirs

REDUCTIONS = ("mean", "sum", "none")
EXACT = [
    ("MSELoss", {}),
    ("L1Loss", {}),
    ("HuberLoss", {}),
    ("HuberLoss", {"delta": 0.5}),
    ("HuberLoss", {"delta": 2}),
    ("SmoothL1Loss", {}),
    ("SmoothL1Loss", {"beta": 0.5}),
    ("SmoothL1Loss", {"beta": 2.0}),
    ("SmoothL1Loss", {"beta": 0}),
]


def differentiated(m, loss, tensors, seed):
    """The loss, its gradients, and the gradients of a combination of those."""
    if loss.shape:
        v = m.tensor(cotangent(np.random.default_rng(seed), tuple(loss.shape)), dtype=loss.dtype)
        loss_and_gradients = [loss, *m.autograd.grad(loss, tensors, v, create_graph=True)]
    else:
        loss_and_gradients = [loss, *m.autograd.grad(loss, tensors, create_graph=True)]
    first = loss_and_gradients[1]
    if not first.requires_grad:
        return loss_and_gradients
    w = m.tensor(cotangent(np.random.default_rng(seed + 1), tuple(first.shape)), dtype=first.dtype)
    second = m.autograd.grad(first, tensors, w, allow_unused=True)
    # torch has tensors of zeros without numbers; a copy has them.
    return loss_and_gradients + [
        m.zeros_like(t) if g is None else g.clone() for g, t in zip(second, tensors, strict=True)
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (4,), (2, 8), (4, 2, 2)], ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "options"), EXACT, ids=str)
def test_losses_of_differences_are_torchs_bit_for_bit(name, options, reduction, shape, dtype):
    # Multiples of ½ and sizes that are powers of two: exact. Differences of exactly 0 and δ are among them.
    rng = np.random.default_rng(7)
    x, t = halves(rng, shape), halves(rng, shape)
    found = []
    for m, make in ((tg, ours), (torch, theirs)):
        tensors = [make(x, dtype), make(t, dtype)]
        loss = getattr(m.nn, name)(reduction=reduction, **options)(*tensors)
        found.append(differentiated(m, loss, tensors, 3))
    for mine, reference in zip(*found, strict=False):
        assert_like(mine, reference)


@pytest.mark.parametrize("name", ["L1Loss", "HuberLoss", "SmoothL1Loss"])
def test_the_gradient_of_a_bend_is_torchs(name):
    found = []
    for m in (tg, torch):
        x = leaf(m, [0.0, 1.0, -1.0, 1.5, float("inf"), float("-inf"), float("nan")])
        getattr(m.nn, name)(reduction="sum")(x, m.zeros(7)).backward()
        found.append(x.grad)
    assert_like(*found)


# Losses with exponentials and logarithms


def allowed(dtype, classes, size):
    """How far two correct losses and gradients may lie apart, for weights up to 4 and cotangents up to 5.

    The softmax of C numbers up to M and its logarithm are two library calls (10u each, see `Bound`), a
    sum of C terms, and a handful of further operations on numbers of at most 2M + log C; the gradient and
    second gradient are products of at most three of them, of at most 1, and sums over C. A reduction adds
    one rounding for each of `size` terms, all of which are counted at their largest.
    """
    largest = 2 * 4 + np.log(max(classes, 2))
    return (3 * (20 + 2 * classes + 16) + 2 * size) * UNIT_ROUNDOFF[dtype] * largest * 4 * 5


def compare(found, dtype, classes):
    reference_dtype = found[1][0].dtype
    assert reference_dtype == torch.float64
    for mine, reference in zip(*found, strict=False):
        assert tuple(mine.shape) == tuple(reference.shape)
        assert mine.dtype == np.dtype(dtype)
        size = max(1, mine.numel())
        difference = np.abs(numbers(mine).astype(np.float64) - numbers(reference))
        assert np.array_equal(np.isnan(numbers(mine)), np.isnan(numbers(reference)))
        assert not np.any(difference > allowed(dtype, classes, 16) * max(1, size if not mine.shape else 1))


SHAPES = [(3,), (4, 3), (2, 3, 2, 2)]


def class_indices(rng, shape, ignored):
    index = rng.integers(0, shape[min(1, len(shape) - 1)], shape[:-1] if len(shape) < 3 else (shape[0], *shape[2:]))
    if ignored and index.size > 1:
        index[..., 0] = ignored
    return index


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("name", "options"),
    [("CrossEntropyLoss", {}), ("CrossEntropyLoss", {"label_smoothing": 0.25}), ("NLLLoss", {})],
    ids=str,
)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [None, -100, 1])
def test_losses_of_class_indices_are_torchs(name, options, reduction, shape, weighted, ignored, dtype):
    rng = np.random.default_rng(5)
    x, index = halves(rng, shape), class_indices(rng, shape, ignored)
    weight = np.array([0.5, 4.0, 1.25])
    found = []
    for m, make, kind in ((tg, ours, dtype), (torch, theirs, "float64")):
        scores = make(x, kind)
        extra = {"weight": make(weight, kind, False)} if weighted else {}
        extra |= {} if ignored is None else {"ignore_index": ignored}
        loss = getattr(m.nn, name)(reduction=reduction, **options, **extra)(scores, m.tensor(index))
        found.append(differentiated(m, loss, [scores], 3))
    compare(found, dtype, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0, 0.25])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_class_probabilities_are_torchs(shape, reduction, smoothing, weighted, dtype):
    rng = np.random.default_rng(5)
    x, t = halves(rng, shape), rng.integers(0, 5, shape) / 4
    weight = np.array([0.5, 4.0, 1.25])
    found = []
    for m, make, kind in ((tg, ours, dtype), (torch, theirs, "float64")):
        tensors = [make(x, kind), make(t, kind)]
        extra = {"weight": make(weight, kind, False)} if weighted else {}
        loss = m.nn.CrossEntropyLoss(reduction=reduction, label_smoothing=smoothing, **extra)(*tensors)
        found.append(differentiated(m, loss, tensors, 3))
    compare(found, dtype, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)], ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_losses_of_log_odds_are_torchs(shape, reduction, weighted, positive, dtype):
    rng = np.random.default_rng(5)
    x, t = halves(rng, shape), rng.integers(0, 5, shape) / 4
    found = []
    for m, make, kind in ((tg, ours, dtype), (torch, theirs, "float64")):
        tensors = [make(x, kind), make(t, kind)]
        extra = {"weight": make(np.full(shape[-1:], 3.0), kind, False)} if weighted else {}
        extra |= {"pos_weight": make(np.full(shape[-1:], 2.5), kind, False)} if positive else {}
        loss = m.nn.BCEWithLogitsLoss(reduction=reduction, **extra)(*tensors)
        found.append(differentiated(m, loss, tensors, 3))
    compare(found, dtype, 2)


@both
def test_huge_scores_overflow_nothing(m):
    x = m.tensor([[1000.0, -1000.0], [-1000.0, 1000.0]], requires_grad=True)
    m.nn.CrossEntropyLoss(reduction="sum")(x, m.tensor([0, 0])).backward()
    assert x.grad.tolist() == [[0, 0], [-1, 1]]
    z = m.tensor([1000.0, -1000.0, 0.0], requires_grad=True)
    loss = m.nn.BCEWithLogitsLoss(reduction="none")(z, m.tensor([0.0, 0.0, 1.0]))
    assert loss.tolist()[:2] == [1000.0, 0.0]
    loss.sum().backward()
    assert z.grad.tolist() == [1.0, 0.0, -0.5]


@both
def test_what_is_ignored_has_no_gradient(m):
    x = m.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    m.nn.CrossEntropyLoss(ignore_index=-1)(x, m.tensor([-1, 1])).backward()
    assert x.grad.tolist()[0] == [0, 0]


@both
def test_the_weights_of_a_loss_are_in_its_state_and_move_with_it(m):
    loss = m.nn.CrossEntropyLoss(weight=m.ones(2))
    assert list(loss.state_dict()) == ["weight"]
    assert list(loss.parameters()) == []
    assert loss.to(m.float64).weight.dtype == m.float64
    assert loss(m.zeros(1, 2, dtype=m.float64), m.tensor([1])).dtype == m.float64
    assert list(m.nn.BCEWithLogitsLoss(pos_weight=m.ones(1)).state_dict()) == ["pos_weight"]


@pytest.mark.parametrize(
    "name",
    ["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss"],
)
def test_losses_print_as_torchs(name):
    assert repr(getattr(tg.nn, name)(reduction="sum")) == repr(getattr(torch.nn, name)(reduction="sum"))


OTHERS = [
    ("BCELoss", "pq", {}),
    ("KLDivLoss", "xq", {}),
    ("KLDivLoss", "xx", {"log_target": True}),
    ("CosineEmbeddingLoss", "xxr", {}),
    ("CosineEmbeddingLoss", "xxr", {"margin": -0.25}),
    ("HingeEmbeddingLoss", "xs", {}),
    ("HingeEmbeddingLoss", "xs", {"margin": 0.75}),
    ("MarginRankingLoss", "xxs", {}),
    ("MarginRankingLoss", "xxs", {"margin": 0.75}),
    ("SoftMarginLoss", "xs", {}),
    ("MultiMarginLoss", "xc", {}),
    ("MultiMarginLoss", "xc", {"p": 2, "margin": 0.75}),
    ("MultiLabelSoftMarginLoss", "xq", {}),
    ("TripletMarginLoss", "xxx", {"margin": 3.0}),
    ("TripletMarginLoss", "xxx", {"margin": 4.0, "p": 1.0, "swap": True, "eps": 1e-3}),
    ("GaussianNLLLoss", "xxp", {}),
    ("GaussianNLLLoss", "xxp", {"full": True, "eps": 0.3}),
    ("PoissonNLLLoss", "xk", {}),
    ("PoissonNLLLoss", "pk", {"log_input": False, "full": True}),
    ("PoissonNLLLoss", "xk", {"full": True}),
    ("CosineSimilarity", "xx", {}),
    ("CosineSimilarity", "xx", {"dim": 0, "eps": 3.0}),
    ("PairwiseDistance", "xx", {}),
    ("PairwiseDistance", "xx", {"p": 1.0, "eps": 0.25, "keepdim": True}),
]
KINDS = {
    "x": lambda rng: rng.uniform(-2, 2, (4, 3)),
    "p": lambda rng: rng.uniform(0.1, 0.9, (4, 3)),  # probabilities and other numbers above 0
    "q": lambda rng: rng.integers(0, 3, (4, 3)) / 2,  # 0 and 1 among them
    "s": lambda rng: rng.choice([-1.0, 1.0], (4, 3)),
    "r": lambda rng: np.array([1, -1, -1, 1]),
    "c": lambda rng: np.array([0, 2, 1, 2]),
    "k": lambda rng: rng.integers(0, 4, (4, 3)) + 0.0,
}


@pytest.mark.filterwarnings("ignore:.*kl_div")
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "kinds", "options"), OTHERS, ids=str)
def test_other_losses_are_torchs_with_every_reduction(name, kinds, options, dtype):
    rng = np.random.default_rng(11)
    arrays = [KINDS[kind](rng) for kind in kinds]
    has_reduction = name not in ("CosineSimilarity", "PairwiseDistance")
    for reduction in REDUCTIONS if has_reduction else [None]:
        found = []
        for m, make, kind in ((tg, ours, dtype), (torch, theirs, "float64")):
            inputs = [
                m.tensor(a) if k in "rc" else make(a, kind, k in "xp") for a, k in zip(arrays, kinds, strict=True)
            ]
            module = getattr(m.nn, name)(**options, **({"reduction": reduction} if has_reduction else {}))
            y = module(*inputs)
            tensors = [x for x in inputs if x.requires_grad]
            weights = m.tensor(cotangent(rng, tuple(y.shape)) * 0 + 1.25, dtype=y.dtype)
            gradients = m.autograd.grad(y, tensors, weights, create_graph=True)
            found.append([repr(module), str(dict(module.state_dict())), y, *gradients])
            # Torch has no second derivative of this one.
            if name != "MultiMarginLoss" and gradients[0].requires_grad:
                second = m.autograd.grad((gradients[0] * gradients[0]).sum(), tensors, allow_unused=True)
                found[-1] += [m.zeros_like(t) if g is None else g.clone() for g, t in zip(second, tensors, strict=True)]
        assert found[0][:2] == found[1][:2]
        for mine, reference in zip(found[0][2:], found[1][2:], strict=False):
            assert tuple(mine.shape) == tuple(reference.shape)
            assert mine.dtype == np.dtype(dtype)
            # A dozen library calls and divisions by numbers of at least 1/100, of at most twelve terms.
            scale = max(1, abs(numbers(reference)).max())
            np.testing.assert_allclose(numbers(mine), numbers(reference), atol=2000 * UNIT_ROUNDOFF[dtype] * scale)


@pytest.mark.parametrize("name", ["BCELoss", "MultiMarginLoss", "MultiLabelSoftMarginLoss"])
def test_weights_of_other_losses_are_torchs(name):
    rng, found = np.random.default_rng(3), []
    x, t = rng.uniform(0.1, 0.9, (4, 3)), np.array([0, 2, 1, 2]) if name == "MultiMarginLoss" else np.eye(4, 3)
    for m in (tg, torch):
        module = getattr(m.nn, name)(weight=m.tensor([0.5, 2.0, 3.0], dtype=m.float64))
        given = m.tensor(x, requires_grad=True)
        loss = module(given, m.tensor(t))
        found.append([loss.item(), *m.autograd.grad(loss, given)[0].tolist(), list(module.state_dict())])
    np.testing.assert_allclose(found[0][:-1][1:], found[1][:-1][1:], rtol=1e-14)
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-14)
    assert found[0][-1] == found[1][-1] == ["weight"]


@pytest.mark.filterwarnings("ignore")
def test_torchs_special_points_of_the_new_losses():
    inf = float("inf")
    calls = {
        "bce": lambda f, x: f.binary_cross_entropy(x[:2], x[:2].detach() * 0 + 1, reduction="none"),
        "kl": lambda f, x: f.kl_div(x, x.detach() * 0, reduction="none"),
        "hinge": lambda f, x: f.hinge_embedding_loss(x, x.detach() * 0 - 1, reduction="none"),
        "none of both": lambda f, x: f.hinge_embedding_loss(x, x.detach() * 0, reduction="none"),
        "ranking": lambda f, x: f.margin_ranking_loss(x, x.detach() * 0, x.detach() * 0 + 1, reduction="none"),
        "cosine": lambda f, x: f.cosine_similarity(x[:2].reshape(1, 2), x[:2].detach().reshape(1, 2) * 0),
        "distance": lambda f, x: f.pairwise_distance(x[:2].reshape(2, 1), x[:2].detach().reshape(2, 1), eps=0.0),
    }
    for name, call in calls.items():
        found = []
        for m in (tg, torch):
            x = leaf(m, [0.0, 1.0, 2.0] if name == "cosine" else [0.0, 1.0, -1.0, inf, float("nan")])
            y = call(m.nn.functional, x)
            y.sum().backward()
            found.append([y.tolist(), x.grad.tolist()])
        np.testing.assert_array_equal(found[0][0], found[1][0], err_msg=name)
        np.testing.assert_array_equal(found[0][1], found[1][1], err_msg=name)


@both
@pytest.mark.parametrize("name", ["mse_loss", "nll_loss", "poisson_nll_loss", "binary_cross_entropy"])
def test_old_arguments_name_a_reduction_and_are_warned_of(m, name):
    x, t = m.tensor([[0.5, 0.25]] * 4), m.ones(4, 2)
    f, module = getattr(m.nn.functional, name), {"mse_loss": "MSELoss", "nll_loss": "NLLLoss"}.get(name)
    t = m.tensor([0, 1, 0, 1]) if name == "nll_loss" else t
    for old, reduction in (
        ({"size_average": False}, "sum"), ({"reduce": False}, "none"), ({"size_average": True}, "mean"),
        ({"size_average": False, "reduce": False}, "none"), ({"reduce": True}, "mean"),
    ):  # fmt: skip
        with pytest.warns(UserWarning, match="size_average and reduce"):
            found = f(x, t, **old)
        assert found.tolist() == f(x, t, reduction=reduction).tolist()
        if module:
            with pytest.warns(UserWarning, match="size_average and reduce"):
                made = getattr(m.nn, module)(**old)
            assert (made.reduction, made(x, t).tolist()) == (reduction, found.tolist())
    before = {"mse_loss": (), "poisson_nll_loss": (True, False)}.get(name, (None,))
    with pytest.warns(UserWarning, match="size_average and reduce"):
        assert f(x, t, *before, False).tolist() == f(x, t, reduction="sum").tolist()


# misuse


def test_refusals_of_the_new_losses_say_what_is_wrong():
    f, x = tg.nn.functional, tg.ones(4, 3)
    for make, error, message in (
        (
            lambda: f.mse_loss(x, x, "sum"),
            DtypeError,
            "size_average, an old argument, is True, False or None, not 'sum'",
        ),
        (lambda: f.binary_cross_entropy(x * 2, x), ValueError, "needs probabilities from 0 to 1"),
        (lambda: f.binary_cross_entropy(x * float("nan"), x), ValueError, "needs probabilities from 0 to 1"),
        (lambda: f.binary_cross_entropy(x, x[0]), ShapeError, r"shape \(4, 3\) and the target \(3,\)"),
        (lambda: f.soft_margin_loss(x, x[0]), ShapeError, r"shape \(4, 3\) and the target \(3,\)"),
        (lambda: f.kl_div(x, x, reduction="batch"), ValueError, "'batchmean', 'mean', 'sum' or 'none', not 'batch'"),
        (lambda: f.cosine_embedding_loss(x, x, x), ShapeError, "takes rows, and 1 or -1 for each"),
        (lambda: f.margin_ranking_loss(x, x, x[0]), ShapeError, r"not \[2, 2, 1\]"),
        (lambda: f.multi_margin_loss(x, tg.tensor([0, 1, 2, 3])), IndexError, "class 3 does not exist"),
        (lambda: f.multi_margin_loss(x, tg.tensor([0, 1, 2, -100])), IndexError, "class -100 does not exist"),
        (lambda: f.multi_margin_loss(x, tg.tensor([0, 1, 2, 0]), p=3), ValueError, "p must be 1 or 2, not 3"),
        (lambda: f.multi_margin_loss(x, tg.tensor([0, 1, 2, 0]), weight=x[0, :2]), ShapeError, "each of the 3 classes"),
        (lambda: f.triplet_margin_loss(x, x, x, margin=0), ValueError, "margin must be above 0, not 0"),
        (lambda: f.gaussian_nll_loss(x, x, -x), ValueError, "one of these is negative"),
        (lambda: f.gaussian_nll_loss(x, x, x[0]), ShapeError, r"variance of shape \(3,\) does not fit .* \(4, 3\)"),
        (lambda: tg.nn.KLDivLoss(reduction="batch"), ValueError, "not 'batch'"),
        (lambda: tg.nn.MSELoss(reduction="batchmean"), ValueError, "not 'batchmean'"),
    ):
        with pytest.raises(error, match=message):
            make()
    assert f.gaussian_nll_loss(x, x, 1.0).item() == f.gaussian_nll_loss(x, x, tg.ones(4)).item() == 0.0
    assert tg.nn.KLDivLoss(reduction="batchmean")(x * 0, x).item() == 0.0


@pytest.mark.slow
def test_new_losses_compile_to_the_same_numbers():
    f, rng = tg.nn.functional, np.random.default_rng(2)
    x, t = tg.tensor(rng.uniform(0.1, 0.9, (4, 3))), tg.tensor(rng.uniform(0.1, 0.9, (4, 3)))

    def losses(x, t):
        found = [f.binary_cross_entropy(x, t), f.kl_div(x, t, reduction="sum"), f.cosine_similarity(x, t).sum()]
        found += [f.soft_margin_loss(x, t), f.poisson_nll_loss(x, t), f.triplet_margin_loss(x, t, t * t)]
        return tg.stack(found)

    def gradient(x, t):
        return tg.func.jacobian(losses, argnums=(0, 1))(x, t)

    for mine, eager in zip(tg.compile(gradient)(x, t), gradient(x, t), strict=True):
        np.testing.assert_allclose(mine.numpy(), eager.numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss", "NLLLoss"])
def test_an_unknown_reduction_is_refused(name):
    with pytest.raises(ValueError, match="reduction must be 'mean', 'sum' or 'none', not 'average'"):
        getattr(tg.nn, name)(reduction="average")
    with pytest.raises(ValueError, match="not 'average'"):
        tg.nn.functional.l1_loss(tg.ones(1), tg.ones(1), reduction="average")
    with pytest.raises(ValueError, match="not 'average'"):
        tg.nn.functional.mse_loss(tg.ones(1), tg.ones(1), reduction="average")


@both
def test_a_class_that_does_not_exist_is_refused(m):
    for target in ([0, 3], [-1, 0]):
        for loss in (m.nn.CrossEntropyLoss(), m.nn.NLLLoss()):
            with pytest.raises((IndexError, RuntimeError)):
                loss(m.zeros(2, 3), m.tensor(target))


def test_refusals_print_both_shapes():
    f, x = tg.nn.functional, tg.zeros(4, 3)
    with pytest.raises(IndexError, match=r"class 3 does not exist: .* \(4, 3\) has the classes 0 to 2"):
        f.cross_entropy(x, tg.tensor([0, 1, 2, 3]))
    with pytest.raises(ShapeError, match=r"input of shape \(4, 3\), class indices have shape \(4,\), .* have \(3,\)"):
        f.cross_entropy(x, tg.tensor([0, 1, 2]))
    with pytest.raises(DtypeError, match="class indices are integers, and this target is float32"):
        f.cross_entropy(x, tg.tensor([0.0, 1.0, 2.0, 0.0]))
    with pytest.raises(ShapeError, match=r"one number for each of the 3 classes, not shape \(2,\)"):
        f.cross_entropy(x, tg.tensor([0, 1, 2, 0]), weight=tg.ones(2))
    with pytest.raises(ShapeError, match=r"one number for each of the 3 classes, not shape \(4,\)"):
        f.cross_entropy(x, x, weight=tg.ones(4))
    with pytest.raises(ShapeError, match="0-d"):
        f.cross_entropy(tg.tensor(1.0), tg.tensor(0))
    with pytest.raises(ShapeError, match=r"input has shape \(4, 3\) and the target \(4, 1\)"):
        f.binary_cross_entropy_with_logits(x, tg.zeros(4, 1))
    for loss in (f.l1_loss, f.huber_loss, f.smooth_l1_loss, f.mse_loss):
        with pytest.raises(ShapeError, match=r"\(4, 3\).*\(2,\)"):
            loss(x, tg.zeros(2))
        with pytest.raises(DtypeError):
            loss(1.0, x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f, x: f.huber_loss(x, x, delta=0), "delta must be above 0, not 0"),
        (lambda f, x: f.smooth_l1_loss(x, x, beta=-1), "beta must be 0 or more, not -1"),
        (lambda f, x: f.cross_entropy(x, x, label_smoothing=1.5), "label_smoothing must be from 0 to 1, not 1.5"),
        (lambda f, x: f.dropout(x, p=1.5), "a dropout probability must be from 0 to 1, not 1.5"),
    ],
)
def test_options_out_of_range_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(tg.nn.functional, tg.ones(2))


@both
@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_column_beside_a_row_is_warned_of(m, name, reduction):
    loss = getattr(m.nn, name)(reduction=reduction)
    with pytest.warns(UserWarning, match=r"shape \(5,\) and the input \(5, 1\)|target size \(torch.Size\(\[5\]\)"):
        loss(m.ones(5, 1), m.arange(5.0))
    loss(m.ones(5, 1), m.ones(5, 1))


def test_one_number_as_a_target_is_no_mistake():
    for target in (tg.tensor(2.0), tg.tensor([[2.0]])):
        assert tg.nn.MSELoss()(tg.ones(5), target).item() == 1.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_squared_error_of_nothing_has_an_empty_gradient_of_any_order(dtype):
    x = tg.zeros(0, dtype=dtype, requires_grad=True)
    with np.errstate(invalid="ignore"):
        y = tg.nn.functional.mse_loss(x, tg.zeros(0, dtype=dtype))
    assert np.isnan(y.item())
    (g,) = tg.grad(y, [x], create_graph=True)
    (h,) = tg.grad(g.sum(), [x])
    for found in (g, h):
        assert (found.shape, found.dtype) == ((0,), np.dtype(dtype))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "name",
    [
        "nll_loss",
        "cross_entropy",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "smooth_l1_loss",
        "huber_loss",
    ],
)
def test_the_node_of_a_loss_is_called_as_torchs_single_operation(name, reduction):
    names = []
    for library in (tg, torch):
        x = library.tensor([[0.25, 0.5], [0.75, 0.125]], requires_grad=True)
        target = library.tensor([1, 0]) if name in ("nll_loss", "cross_entropy") else library.zeros(2, 2)
        loss = getattr(library.nn.functional, name)(x, target, reduction=reduction)
        names.append(loss.grad_fn.name())
        loss.sum().backward()
        assert x.grad is not None
    assert names[0] == names[1]
