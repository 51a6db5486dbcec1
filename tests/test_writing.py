"""Writing into tensors: views, in-place methods, assignment to elements, and what is refused."""

import copy
import gc
import pickle
import random
import weakref

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError, TraceError

from .helpers import both, leaf, nothing_left_for_the_garbage_collector
from .proof import writes

VIEWS = {
    "[0]": lambda x: x[0],
    "[1:]": lambda x: x[1:],
    "[..., ::2]": lambda x: x[..., ::2],
    "[None]": lambda x: x[None],
    "[tensor(1)]": lambda x: x[(tg if isinstance(x, tg.Tensor) else torch).tensor(1)],
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "t": lambda x: x.t(),
    "view": lambda x: x.view(-1),
    "reshape": lambda x: x.reshape(2, 6),
    "flatten": lambda x: x.flatten(),
    "unflatten": lambda x: x.unflatten(1, (2, 2)),
    "transpose": lambda x: x.transpose(0, 1),
    "permute": lambda x: x.permute(1, 0),
    "movedim": lambda x: x.movedim(0, 1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x.squeeze(),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "select": lambda x: x.select(1, 1),
    "diagonal": lambda x: x.diagonal(1),
    "T.diagonal": lambda x: x.T.diagonal(),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "chunk": lambda x: x.chunk(2)[1],
    "split": lambda x: x.split(2)[0],
    "tensor_split": lambda x: x.tensor_split(2)[1],
    "unbind": lambda x: x.unbind(1)[2],
    "iteration": lambda x: list(x)[1],
    "a view of a view": lambda x: x[1:].view(4, 2).T[1:].view(-1)[1:],
    "a part of an expanded one": lambda x: x.expand(2, 3, 4)[1],
}
COPIES = {
    "a list": lambda x: x[[0, 1]],
    "a mask": lambda x: x[x > 3],
    "clone": lambda x: x.clone(),
    "contiguous": lambda x: x.T.contiguous(),
    "reshape": lambda x: x.T.reshape(-1),
    "flatten": lambda x: x.T.flatten(),
    "flip": lambda x: x.flip(0),
    "repeat": lambda x: x.repeat(1, 1),
    "index_select": lambda x: x.index_select(0, (tg if isinstance(x, tg.Tensor) else torch).tensor([0])),
    "diag": lambda x: x.diag(),
}


def numbered(m):
    return m.arange(12.0).reshape(3, 4).clone()


@both
@pytest.mark.parametrize("look", VIEWS.values(), ids=VIEWS)
def test_a_write_into_a_view_or_its_base_is_seen_in_the_other(m, look):
    x = numbered(m)
    v = look(x)
    v.mul_(-2)
    expected = torch.arange(12.0).reshape(3, 4)
    look(expected).mul_(-2)
    assert x.tolist() == expected.tolist()
    x.add_(100)
    assert v.tolist() == look(expected.add_(100)).tolist()


@both
@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_what_torch_copies_is_a_copy(m, make):
    x = numbered(m)
    copied = make(x)
    before = copied.tolist()
    x.zero_()
    assert copied.tolist() == before
    copied.fill_(7)
    assert x.tolist() == [[0.0] * 4] * 3


@both
def test_the_teaching_programs_that_write_train(m):
    torch.manual_seed(0)
    tg.manual_seed(0)
    x = m.linspace(0, 1, 8).view(-1, 1)
    net = m.nn.Linear(1, 1)
    net.weight.data.fill_(0.25)
    net.bias.data.zero_()
    for _ in range(200):
        net.zero_grad()
        loss = ((net(x) - 2 * x) ** 2).mean()
        loss.backward()
        for f in net.parameters():
            f.data.sub_(f.grad.data * 0.5)
    assert abs(net.weight.item() - 2) < 0.05
    w = m.tensor([1.0], requires_grad=True)
    for _ in range(30):
        loss = ((w * x - 2 * x) ** 2).sum()
        loss.backward()
        w.data = w.data - 0.1 * w.grad.item()
        w.grad.data.zero_()
    assert abs(w.item() - 2) < 1e-3
    rows = m.ones(2, 2)
    row = rows[0]
    row.zero_()
    assert rows.tolist() == [[0.0, 0.0], [1.0, 1.0]]


@both
def test_writes_are_differentiated_twice(m):
    x = m.tensor([2.0, 3.0, 5.0], dtype=m.float64, requires_grad=True)
    y = m.zeros(3, dtype=m.float64)
    y[1] = x[0] * x[2]
    z = y[1:]
    z.mul_(3)
    y[0].copy_(x[1] ** 2)
    (slope,) = m.autograd.grad((y * y).sum(), x, create_graph=True)
    # y = (b², 3ac, 0), so Σ y² = b⁴ + 9a²c²
    assert slope.tolist() == [18 * 2 * 25, 4 * 27, 18 * 4 * 5]
    (curvature,) = m.autograd.grad(slope.sum(), x)
    assert curvature.tolist() == [18 * 25 + 36 * 2 * 5, 12 * 9, 36 * 2 * 5 + 18 * 4]


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_programs_of_views_and_writes_do_what_torch_does(data):
    writes.check(lambda n: data.draw(st.integers(0, n - 1)))


def test_the_proof_sees_a_view_that_does_not_look_again(monkeypatch):
    monkeypatch.setattr(
        tg.Tensor.viewed.__mro__[1], "array", property(lambda self: self.held, lambda self, value: None)
    )
    programs = (random.Random(seed).randrange for seed in range(50))
    with pytest.raises(writes.DisagreementError):
        list(map(writes.check, programs))


# In-place methods

FUNCTIONS = [
    name
    for name in sorted(dir(torch.Tensor))
    if name.endswith("_") and not name.startswith("_") and name != "random_"
    and (hasattr(tg.Tensor, name[:-1]) or hasattr(tg, name[:-1]) or hasattr(tg.nn.functional, name[:-1]))
]  # fmt: skip
OTHERS = ["copy_", "fill_", "fill_diagonal_", "normal_", "uniform_", "zero_"]
# What each is given, a letter an argument: see `values` below.
ARGUMENTS = dict.fromkeys(["addcdiv_", "addcmul_", "addmm_", "lerp_"], "bb") | {
    "clamp_": "01", "clip_": "01", "cumprod_": "0", "cumsum_": "0", "index_add_": "0ib", "index_put_": "tb",
    "masked_fill_": "m1", "scatter_": "0Ib", "scatter_add_": "0Ib", "swapaxes_": "01", "swapdims_": "01",
    "transpose_": "01", "unsqueeze_": "0", "fill_": "1", "fill_diagonal_": "1", "copy_": "b", "addbmm_": "33",
    "addr_": "vv", "clamp_max_": "h", "clamp_min_": "h", "index_copy_": "0ib",
    "index_fill_": "0i1", "masked_scatter_": "mb", "scatter_reduce_": "0Ibs",
}  # fmt: skip
TWO = [
    "add_", "sub_", "subtract_", "mul_", "multiply_", "div_", "divide_", "true_divide_", "floor_divide_", "fmod_",
    "remainder_", "pow_", "atan2_", "arctan2_", "hypot_", "heaviside_", "eq_", "ne_", "not_equal_", "lt_", "less_",
    "le_", "copysign_", "xlogy_",
    "less_equal_", "gt_", "greater_", "ge_", "greater_equal_", "logical_and_", "logical_or_", "logical_xor_",
]  # fmt: skip


def test_every_in_place_method_that_torch_has_for_a_function_of_ours_is_there():
    assert len(FUNCTIONS) > 90
    assert [name for name in [*FUNCTIONS, *OTHERS] if not hasattr(tg.Tensor, name)] == []


# Torch has no derivative of these in place; of the logical ones it returns what was before.
WITHOUT = {"floor_divide_", "heaviside_", "logical_and_", "logical_not_", "logical_or_", "logical_xor_"}


BITS = [f"bitwise_{name}_" for name in ("and", "left_shift", "not", "or", "right_shift", "xor")]


@pytest.mark.parametrize("name", BITS)
def test_an_in_place_method_of_bits_writes_what_torchs_does(name):
    results = []
    for m in (tg, torch):
        x = m.tensor([[6, 3], [12, 1]])
        view = x.view(-1)
        assert getattr(x, name)(*([] if name == "bitwise_not_" else [m.tensor([1, 2])])) is x
        if name != "bitwise_not_":
            x &= 29
            x |= 4
            x ^= 3
            x <<= m.tensor(2)
            x >>= 1
        results.append(view.tolist())
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "name",
    sorted({*FUNCTIONS, *OTHERS} - {"requires_grad_", "normal_", "uniform_", "detach_", "addmv_", "baddbmm_", *BITS}),
)
def test_an_in_place_method_writes_what_torchs_does(name):
    numbers = np.array([[0.25, 0.5, 0.75], [0.5, 0.3, 0.9], [0.1, 0.6, 0.2]])
    results = []
    for m in (tg, torch):
        m.manual_seed(1)
        x = m.tensor(numbers + 1 if name in ("acosh_", "arccosh_") else numbers, requires_grad=name not in WITHOUT)
        y = x * 1
        b = m.tensor(numbers.T + 1)
        values = {"b": b, "0": 0, "1": 1, "m": y.detach() > 0.4, "i": m.tensor([2, 0, 1]), "t": (m.tensor([2, 0, 1]),),
                  "I": m.tensor([[0, 1, 2], [2, 0, 1], [1, 2, 0]]), "3": b[None], "v": b[0], "h": 0.45,
                  "s": "sum"}  # fmt: skip
        given = [values[key] for key in ARGUMENTS.get(name, "b" if name in TWO else "")]
        view = y.view(-1)
        if m is torch and name.endswith(("osh_", "asinh_", "arcsinh_", "atanh_", "arctanh_")) and name != "cosh_":
            y = getattr(y, name[:-1])(*given)
        else:
            assert getattr(y, name)(*given) is y
            np.testing.assert_array_equal(np.sort(view.tolist()), np.sort(np.ravel(y.tolist())))
        gradient = m.autograd.grad((y * b).sum(), x)[0] if x.requires_grad else y
        results.append([np.array((t + 0).tolist()) for t in (y, gradient)])
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


def test_the_random_methods_write_torchs_numbers():
    for fill in (lambda x: x.uniform_(-2, 5), lambda x: x.uniform_(), lambda x: x.normal_(1, 3)):
        tg.manual_seed(3)
        torch.manual_seed(3)
        np.testing.assert_allclose(fill(tg.zeros(7)).numpy(), fill(torch.zeros(7)).numpy(), rtol=1e-6)
    with pytest.raises(ValueError, match="std"):
        tg.zeros(2).normal_(0, -1)


@both
def test_augmented_assignment_writes_through_any_index(m):
    for index in (0, slice(1, None), (..., 1), None, [0, 2], "mask", (slice(None), 0)):
        x, expected = numbered(m), np.arange(12.0).reshape(3, 4)
        at = x > 4 if index == "mask" else index
        x[at] += 10
        x[at] *= 2
        place = expected > 4 if index == "mask" else index
        expected[place] += 10
        expected[place] *= 2
        assert x.tolist() == expected.tolist()
    x = m.tensor([5, 7, -3])
    v = x[:]
    x //= 2
    x %= 2
    x **= 2
    assert v.tolist() == [0, 1, 0]
    flags = m.tensor([True, False])
    seen = flags[:]
    flags &= m.tensor([False, False])
    flags |= m.tensor([True, False])
    flags ^= m.tensor([True, True])
    assert seen.tolist() == [False, True]


def test_the_end_of_an_augmented_assignment_is_no_second_write():
    x = tg.zeros(3) + leaf(tg, 0.0)
    x[0] += 1
    assert x.node.operation.name == "IndexPut"
    assert x.node.parents[0].operation.name == "Add"


# Memory


@both
def test_assigning_data_is_no_write(m):
    w = leaf(m, [1.0, 2.0])
    old, row = w.data, w.detach()[:1]
    other = m.tensor([5.0, 6.0])
    w.data = other
    old.add_(10)
    assert (w.tolist(), old.tolist(), row.tolist()) == ([5.0, 6.0], [11.0, 12.0], [11.0])
    other.mul_(2)
    assert w.tolist() == [10.0, 12.0]
    w.data.zero_()
    assert (other.tolist(), w.requires_grad, w.is_leaf) == ([0.0, 0.0], True, True)
    w.data = w.data
    w.data += 1
    assert other.tolist() == [1.0, 1.0]
    w.data = numbered(m).T[0][:2]
    w.data[0] = 9
    assert w.tolist() == [9.0, 4.0]


@both
def test_a_parameter_has_the_memory_of_its_tensor(m):
    for x in (m.zeros(2), m.zeros(2, 2)[0], m.zeros(2, 2).t()[1]):
        p = m.nn.Parameter(x)
        x.add_(1)
        p.data.mul_(5)
        assert p.tolist() == x.tolist() == [5.0, 5.0]
        assert isinstance(p, m.nn.Parameter)
        assert p.is_leaf


@both
def test_a_detached_tensor_may_become_a_leaf_of_its_own(m):
    x = leaf(m, [1.0, 2.0])
    d = (x * 2).detach().requires_grad_()
    (d * d).sum().backward()
    assert (d.grad.tolist(), x.grad) == ([4.0, 8.0], None)
    with pytest.raises(RuntimeError, match=r"in[- ]place"):
        d.zero_()


@both
def test_methods_that_change_the_shape_leave_views_as_they_are(m):
    x = numbered(m)
    row = x[1]
    assert x.t_() is x
    x[0, 1] = 50
    x.unsqueeze_(0).squeeze_(0).transpose_(0, 1)
    x[1, 1] = 60
    assert row.tolist() == [50.0, 60.0, 6.0, 7.0]
    assert (tuple(x.shape), x.tolist()[1]) == ((3, 4), row.tolist())


@both
@pytest.mark.parametrize("shape", [(6,), (3, 4)])
def test_whatever_is_written_into_a_tensor_lies_in_memory_as_before(m, shape):
    wide, flipped = m.ones(*shape, 2), m.ones(*shape[::-1])
    for write in (
        lambda x: x.fill_(2),
        lambda x: x.copy_(m.ones(1)),
        lambda x: x.copy_(wide[..., 0]),
        lambda x: x.copy_(flipped.permute(*range(len(shape))[::-1])),
        lambda x: x.data.fill_(3),
        lambda x: x.mul_(m.ones(1).expand(shape)),
        lambda x: x.__setitem__(..., m.ones(1).expand(shape)),
    ):
        x = m.zeros(*shape)
        write(x)
        assert x.is_contiguous()
        assert x.contiguous() is x


@both
def test_strides_are_those_of_the_memory(m):
    x = m.zeros(2, 3, 4)
    for v in (x, x.permute(2, 0, 1), x[:, 1], x[..., ::2], x.transpose(0, 1), x.expand(5, 2, 3, 4), x[0, 0, 0]):
        y = torch.zeros(2, 3, 4)
        same = {
            0: y,
            1: y.permute(2, 0, 1),
            2: y[:, 1],
            3: y[..., ::2],
            4: y.transpose(0, 1),
            5: y.expand(5, 2, 3, 4),
            6: y[0, 0, 0],
        }
        theirs = next(t for t in same.values() if t.shape == tuple(v.shape) and t.stride() == tuple(v.stride()))
        assert v.is_contiguous() == theirs.is_contiguous()
    assert x.stride(0) == 12
    assert x.contiguous() is x
    assert x.transpose(0, 1).contiguous().stride() == (8, 4, 1)
    with pytest.raises((RuntimeError, ValueError), match="reshape"):
        x.transpose(0, 1).view(-1)


def test_a_detached_tensor_keeps_no_graph_alive():
    w = leaf(tg, [1.0, 2.0])
    for cut in (
        lambda y: y.detach(),
        lambda y: y.data,
        lambda y: y[:1].detach(),
        lambda y: tg.no_grad()(lambda: y[:1])(),
    ):
        array = np.arange(2.0)
        y = w * tg.tensor(array)
        saved = weakref.ref(y.node.saved[1])
        kept = cut(y)
        with tg.no_grad():
            y.mul_(2)
        expected = y.tolist()[: len(kept)]
        del y
        assert saved() is None
        assert kept.tolist() == expected


def test_nothing_is_left_for_the_garbage_collector():
    with nothing_left_for_the_garbage_collector():
        x = leaf(tg, [1.0, 2.0])
        y = x * 2
        v, d = y[0], y.detach()
        v.mul_(3)
        d.zero_()
        x.data = d
        x.data = x.data[:1].expand(2)
        t = y.view(1, 2)
        t.t_()
        y.sum().backward()


def test_long_chains_of_views_are_no_recursion():
    x = tg.zeros(3) + leaf(tg, 0.0)
    v = x
    for _ in range(20_000):
        v = v[:]
    x.add_(1)
    assert v.tolist() == [1.0, 1.0, 1.0]
    v.fill_(2)
    assert x.tolist() == [2.0, 2.0, 2.0]
    del v


def test_views_leave_as_plain_tensors():
    x = tg.arange(4.0)
    p = tg.nn.Parameter(x[:2])
    for v, kind in ((x[1:], tg.Tensor), (x.data, tg.Tensor), (p, tg.nn.Parameter)):
        for other in (pickle.loads(pickle.dumps(v)), copy.deepcopy(v)):
            assert type(other) is kind
            assert (other.tolist(), other.requires_grad) == (v.tolist(), v.requires_grad)
            with tg.no_grad():
                other.zero_()
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert repr(x[1:]) == "tensor([1., 2., 3.])"
    jax = pytest.importorskip("jax")
    made = tg.tensor(jax.numpy.arange(4.0))
    doubled = jax.tree_util.tree_map(lambda array: 2 * array, {"v": made[1:], "w": made.data})
    assert (type(doubled["v"]), doubled["v"].tolist(), doubled["w"].tolist()) == (tg.Tensor, [2, 4, 6], [0, 2, 4, 6])
    made[1:].mul_(2)
    assert made.tolist() == [0, 2, 4, 6]


# Recording


@both
def test_only_numbers_follow_where_nothing_is_recorded(m):
    w = leaf(m, [1.0, 2.0])
    y = w * 3
    v = y[:1]
    v.retain_grad()
    with m.no_grad():
        y.mul_(10)
    assert v.tolist() == [30.0]
    (v * 2).sum().backward()
    assert (v.grad.tolist(), w.grad.tolist()) == ([2.0], [6.0, 0.0])


@both
def test_an_optimizer_steps_through_views(m):
    x = m.zeros(4)
    w = x.detach()[:2].requires_grad_()
    optimizer = m.optim.SGD([w], lr=1.0)
    (w * m.tensor([1.0, 2.0])).sum().backward()
    optimizer.step()
    assert x.tolist() == [-1.0, -2.0, 0.0, 0.0]


@both
def test_states_are_views_of_the_model(m):
    model = m.nn.Linear(2, 1)
    state, row = model.state_dict(), model.weight.data[0]
    state["weight"].copy_(m.tensor([[5.0, 6.0]]))
    assert model.weight.tolist() == [[5.0, 6.0]]
    kept = copy.deepcopy(state)
    model.load_state_dict({"weight": m.zeros(1, 2), "bias": m.ones(1)})
    assert (row.tolist(), kept["weight"].tolist()) == ([0.0, 0.0], [[5.0, 6.0]])


@both
def test_modules_and_functions_write_where_they_are_told_to(m):
    f = m.nn.functional
    for module, function in (
        (m.nn.ReLU(inplace=True), lambda x: f.relu(x, True)),
        (m.nn.LeakyReLU(0.5, inplace=True), lambda x: f.leaky_relu(x, 0.5, True)),
        (m.nn.ELU(inplace=True), lambda x: f.elu(x, 1.0, True)),
        (m.nn.SiLU(inplace=True), lambda x: f.silu(x, inplace=True)),
        (m.nn.Dropout(1.0, inplace=True), lambda x: f.dropout(x, 1.0, True, True)),
    ):
        x, y = m.tensor([-1.0, 2.0]), m.tensor([-1.0, 2.0])
        assert module(x) is x
        assert function(y) is y
        assert x.tolist() == y.tolist() != [-1.0, 2.0]
    for function in (f.relu_, f.leaky_relu_, f.elu_):
        x = m.tensor([-1.0, 2.0])
        assert function(x) is x


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@both
def test_a_transformed_function_writes_into_what_it_makes_only(m):
    buffer, weights = m.zeros(2), m.ones(2)

    def clean(x):
        y = m.zeros(2)
        y[0] = x[0] ** 2
        z = x.clone()
        z[1] *= 3
        z.add_(y)
        return z.sum()

    assert m.func.grad(clean)(m.tensor([2.0, 1.0])).tolist() == [5.0, 3.0]
    assert m.func.hessian(clean)(m.tensor([2.0, 1.0])).tolist() == [[2.0, 0.0], [0.0, 0.0]]

    def write(x):
        buffer[0] = x[0]
        return buffer.sum()

    def scale(x):
        weights.mul_(2)
        return (weights * x).sum()

    for dirty in (write, scale):
        with pytest.raises(RuntimeError, match=r"in[- ]place"):
            m.func.grad(dirty)(m.tensor([2.0, 1.0]))
    assert (buffer.tolist(), weights.tolist()) == ([0.0, 0.0], [1.0, 1.0])
    buffer[0] = 1
    inner = lambda x: m.func.grad(lambda y: (x * y).sum())(x).mul_(2).sum()  # noqa: E731
    assert m.func.grad(inner)(m.tensor([2.0, 1.0])).tolist() == [2.0, 2.0]


def test_a_compiled_function_writes_as_it_does_without_compiling():
    def f(x):
        y = x * 2
        y[0] = x[1] * x[2]
        row = y.view(1, -1)
        row[:, 1:].mul_(x[0])
        y.T[0] += 1
        (slope,) = tg.grad(y.sum(), x)
        return y, slope

    x = tg.tensor([2.0, 3.0, 5.0], requires_grad=True)
    for mine, expected in zip(tg.compile(f)(x), f(x), strict=True):
        assert mine.tolist() == expected.tolist()
    outside = tg.tensor([1.0, 2.0, 3.0])

    def argument(x):
        x[1:].mul_(2)
        return x.sum()

    def captured(x):
        outside[0] = x[1]
        return (outside * x).sum()

    x, y = tg.tensor([1.0, 2.0, 3.0]), tg.tensor([1.0, 2.0, 3.0])
    compiled = tg.compile(argument)
    for _ in range(3):
        assert compiled(x).item() == argument(y).item()
        assert x.tolist() == y.tolist()
    with pytest.raises(TraceError, match="change nothing outside"):
        tg.compile(captured)(x)
    assert outside.tolist() == [1.0, 2.0, 3.0]


# Bad input


def unchanged(m, act, error, match):
    """Check that `act`, given a leaf and a plain tensor, is refused and changes neither."""
    w, x = leaf(m, [[1.0, 2.0], [3.0, 4.0]]), m.tensor([[1, 2], [3, 4]])
    with pytest.raises(error, match=match):
        act(w, x)
    assert (w.tolist(), x.tolist()) == ([[1.0, 2.0], [3.0, 4.0]], [[1, 2], [3, 4]])
    assert (w.is_leaf, w.requires_grad, x.requires_grad) == (True, True, False)


LEAVES = {
    "a method": lambda w, x: w.exp_(),
    "an operator": lambda w, x: w.__iadd__(1),
    "an element": lambda w, x: w.__setitem__((0, 0), 1.0),
    "a mask": lambda w, x: w.__setitem__(w > 0, 1.0),
    "a view": lambda w, x: w[0].zero_(),
    "a view of a view": lambda w, x: w.T[0:1].view(-1).copy_(w[0]),
    "a view made of a detached leaf": lambda w, x: w.detach().requires_grad_()[0].zero_(),
    "its transposition": lambda w, x: w.t_(),
}


@both
@pytest.mark.parametrize("act", LEAVES.values(), ids=LEAVES)
def test_a_leaf_that_requires_grad_is_not_written_into(m, act):
    unchanged(m, act, RuntimeError, r"in[- ]place")


REFUSED = {
    "a float added to integers": (lambda w, x: x.add_(0.5), (DtypeError, RuntimeError), "int64|Long"),
    "exp of integers": (lambda w, x: x.exp_(), (DtypeError, RuntimeError), "int64|Long"),
    "a division of integers": (lambda w, x: x.__itruediv__(2), (DtypeError, RuntimeError), "int64|Long"),
    "a shape that grows": (lambda w, x: x.add_(x[None].expand(2, 2, 2)), (ShapeError, RuntimeError), "shape"),
    "a value that does not fit": (
        lambda w, x: x[0].copy_(w.detach()[:, :1].expand(2, 3)), (ShapeError, RuntimeError), "shape|match|size"
    ),
    "an element that does not fit": (
        lambda w, x: x.__setitem__(0, w.detach().view(-1)), (ShapeError, RuntimeError), "shape|expand"
    ),
    "an index out of range": (lambda w, x: x.__setitem__(2, 1), IndexError, "2"),
    "too many indices": (lambda w, x: x.__setitem__((0, 0, 0), 1), IndexError, "too many|indices"),
    "an expanded view": (lambda w, x: x.expand(2, 2, 2).add_(1), (GraphError, RuntimeError), "clone"),
    "a part of one": (lambda w, x: x.expand(2, 2, 2)[:, 0].mul_(2), (GraphError, RuntimeError), "clone"),
    "what is no number": (lambda w, x: x.__setitem__(0, "1"), (TypeError, RuntimeError), "str"),
    "a column in fill_": (lambda w, x: x.fill_(w.detach()[0]), (ShapeError, RuntimeError), "0-d|0-dim"),
}  # fmt: skip


@both
@pytest.mark.parametrize(("act", "error", "match"), REFUSED.values(), ids=REFUSED)
def test_a_write_that_torch_refuses_changes_nothing(m, act, error, match):
    unchanged(m, act, error, match)


@both
def test_copies_and_elements_cast(m):
    x = m.zeros(3, dtype=m.int64)
    x[0] = 2.7
    x[1:].copy_(m.tensor([1.5, -1.5]))
    assert x.tolist() == [2, 1, -1]
    y = m.zeros(2)
    y[0] = m.tensor(2.0, dtype=m.float64)
    y += m.tensor([1.0, 1.0], dtype=m.float64)
    assert (y.tolist(), y.dtype) == ([3.0, 1.0], m.float32)
    flags = m.tensor([True, False])
    flags.copy_(m.tensor([0.0, 2.0]))
    assert flags.tolist() == [False, True]


@both
def test_several_views_of_one_call_and_views_of_no_grad_are_not_written_into_on_the_tape(m):
    w = leaf(m, [1.0, 2.0, 3.0, 4.0])
    y = w * 1
    with m.no_grad():
        unrecorded = y[:2]
        y.chunk(2)[0].mul_(5)
    for act in (lambda: y.chunk(2)[0].mul_(2), lambda: next(iter(y)).zero_(), lambda: unrecorded.mul_(2)):
        with pytest.raises(RuntimeError, match=r"several views|multiple views|no_grad"):
            act()
    assert y.tolist() == [5.0, 10.0, 3.0, 4.0]
    plain = m.zeros(4)
    plain.split(2)[1].fill_(1)
    assert plain.tolist() == [0.0, 0.0, 1.0, 1.0]


def test_overlapping_parts_are_written_as_if_they_had_been_copied():
    x = tg.arange(5.0)
    x[1:] = x[:-1]
    assert x.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]


def test_an_array_of_numpy_is_never_written_into():
    given = np.arange(3.0)
    x = tg.from_numpy(given)
    seen = x.numpy()
    x.zero_()
    assert (given.tolist(), seen.tolist()) == ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    gc.collect()


def test_writes_under_vmapless_transforms_of_a_view_are_differentiated():
    def f(x):
        y = x.reshape(2, 2).clone()
        y.diagonal().mul_(x[:2])
        return (y * y).sum()

    x = tg.tensor([1.0, 2.0, 3.0, 4.0])
    assert func.grad(f)(x).tolist() == [4.0, 68.0 - 0.0, 6.0, 32.0]
