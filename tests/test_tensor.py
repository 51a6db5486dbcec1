"""Tensors: arithmetic, dtypes, shapes, what is refused, and that arrays are values."""

import copy
import operator

import numpy as np
import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError

from .helpers import both, dtype_name, leaf, numbers

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
each_operator = pytest.mark.parametrize("combine", OPERATORS, ids=lambda f: f.__name__)
SCALARS = [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), np.int8(2), np.bool_(True)]


# dtypes


@each_operator
@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
@pytest.mark.parametrize("shape", [(), (3,)], ids=str)
def test_scalars_never_promote_a_float32_tensor(combine, scalar, shape):
    x = tg.full(shape, 1.5, requires_grad=True)
    for result in (combine(x, scalar), combine(scalar, x)):
        assert result.dtype == np.float32
        (gradient,) = tg.grad(result.sum(), x)
        assert (gradient.dtype, gradient.shape) == (np.float32, shape)


@each_operator
def test_scalar_arithmetic_gives_torchs_numbers(combine):
    x, y = (m.tensor([1.5, 2.0, 4.0], dtype=m.float64) for m in (tg, torch))
    for scalar in (2, 0.5):
        np.testing.assert_array_equal(numbers(combine(x, scalar)), numbers(combine(y, scalar)))
        np.testing.assert_allclose(numbers(combine(scalar, x)), numbers(combine(scalar, y)), rtol=5 * 2.0**-53, atol=0)


@each_operator
@pytest.mark.parametrize("number", [2, 2.5])
@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", "float64"])
def test_dtype_beside_a_python_number_is_torchs(combine, number, dtype):
    x, y = (m.tensor([1, 1], dtype=getattr(m, dtype)) for m in (tg, torch))
    assert dtype_name(combine(x, number)) == dtype_name(combine(y, number))
    assert dtype_name(combine(number, x)) == dtype_name(combine(number, y))


def test_float32_and_float64_tensors_promote_as_in_numpy():
    a = tg.tensor([1.5, 2.0], requires_grad=True)
    b = tg.tensor([3.0, 4.0], dtype=tg.float64, requires_grad=True)
    product = a * b
    assert product.dtype == np.float64
    product.sum().backward()
    assert (a.grad.dtype, b.grad.dtype) == (np.float32, np.float64)
    (first,) = tg.grad((a * b * b).sum(), a, create_graph=True)
    (mixed,) = tg.grad(first.sum(), b)
    assert (first.dtype, mixed.dtype) == (np.float32, np.float64)


def test_arrays_and_numpy_scalars_on_the_left_leave_the_work_to_the_tensor():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for left in (np.array([3.0, 4.0], np.float32), np.float64(3.0)):
        for combine in OPERATORS:
            assert type(combine(left, x)) is tg.Tensor
    assert type(np.ones((2, 2), np.float32) @ x) is tg.Tensor


def test_what_is_no_number_is_refused():
    x = tg.tensor([1.0])
    for other in ("2", None, [1.0], 1j, object()):
        with pytest.raises(TypeError):
            x * other
        with pytest.raises(TypeError):
            other - x
        with pytest.raises(DtypeError, match="expects a tensor"):
            x.mul(other)
    assert (x == "2") is False


@both
@pytest.mark.parametrize("data", [[1, 2], [True]], ids=str)
def test_only_floating_tensors_can_require_gradients(m, data):
    for ask in (lambda x: x.requires_grad_(), lambda x: setattr(x, "requires_grad", True)):
        with pytest.raises((RuntimeError, TypeError), match="float"):
            ask(m.tensor(data))
    with pytest.raises((RuntimeError, TypeError), match="float"):
        m.tensor(data, requires_grad=True)


@both
def test_a_conversion_to_integers_ends_the_graph(m):
    x = leaf(m, [1.5])
    assert not x.to(m.int64).requires_grad
    assert x.double().requires_grad
    assert x.to("cpu") is x
    assert x.to(m.float32) is x
    assert x.float() is x


# the graph


@both
def test_leaf_and_grad_fn(m):
    x = leaf(m, [1.0])
    y = x * 2
    assert (x.is_leaf, x.requires_grad, x.grad_fn) == (True, True, None)
    assert (y.is_leaf, y.requires_grad, repr(y.grad_fn)[:13]) == (False, True, "<MulBackward0")
    plain = m.tensor([1.0]) * 2
    assert (plain.is_leaf, plain.requires_grad, plain.grad_fn) == (True, False, None)


@both
def test_requires_grad_can_be_switched_off_on_leaves_only(m):
    x = leaf(m, [1.0])
    assert x.requires_grad_(False) is x
    assert not x.requires_grad
    x.requires_grad = True
    y = x * 2
    with pytest.raises(RuntimeError, match=r"leaf|leaves"):
        y.requires_grad = False
    assert y.requires_grad_() is y


@both
def test_detach_and_data_are_cut_off(m):
    x = leaf(m, [1.0])
    for cut in (x.detach(), x.data, (x * 1).detach()):
        assert not cut.requires_grad
        assert cut.tolist() == [1.0]
    x.data -= 0.5
    assert (x.tolist(), x.requires_grad, x.is_leaf) == ([0.5], True, True)


@both
def test_the_gradient_must_be_like_its_tensor(m):
    x = leaf(m, [1.0, 2.0])
    for wrong in (m.ones(3), m.ones(2, dtype=m.float64), 1.0):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            x.grad = wrong
    x.grad = m.tensor([5.0, 6.0])
    x.sum().backward()
    assert x.grad.tolist() == [6.0, 7.0]


# arrays are values


def test_a_tensor_does_not_share_the_array_it_was_made_from():
    given = np.array([1.0, 2.0])
    made = [tg.tensor(given), tg.from_numpy(given), tg.as_tensor(given), tg.FloatTensor(given)]
    given[0] = 100.0
    assert [t.tolist() for t in made] == [[1.0, 2.0]] * 4


def test_numpy_hands_out_a_read_only_view():
    t = tg.tensor([1.0, 2.0])
    for array in (t.numpy(), np.asarray(t), t.detach().numpy(), tg.tensor(1.0).numpy()):
        assert isinstance(array, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 5.0
    np.array(t)[0] = 5.0
    assert t.tolist() == [1.0, 2.0]
    with pytest.raises(GraphError, match="detach"):
        (leaf(tg, 1.0) * 2).numpy()


def test_an_array_beside_a_tensor_can_be_overwritten_before_backward():
    w = leaf(tg, [1.0, 2.0])
    factor, base, index, places = np.array([3.0, 4.0]), np.array([2.0, 3.0]), np.array([0, 0]), [1, 1]
    y = (w * factor).sum() + (base**w).sum() + w[index].sum() + w[places].sum()
    (expected,) = tg.grad(y, w, retain_graph=True)
    factor[:], base[:], index[:], places[:] = 100.0, 100.0, 1, [0, 0]
    y.backward()
    assert w.grad.tolist() == expected.tolist()


def test_updates_do_not_reach_what_numpy_was_given():
    x = tg.tensor([1.0, 2.0])
    array = x.numpy()
    x += 10
    x.zero_()
    np.testing.assert_array_equal(array, [1.0, 2.0])


# what is refused


BAD_SHAPES = {
    "a + b": (lambda a, b: a + b, r"\(2, 3\).*\(4,\)"),
    "a @ b": (lambda a, b: a @ b, r"\(2, 3\).*\(4,\)"),
    "a ** b": (lambda a, b: a**b, r"\(2, 3\).*\(4,\)"),
    "a == b": (lambda a, b: a == b, r"\(2, 3\).*\(4,\)"),
    "a * array": (lambda a, b: a * b.numpy(), r"\(2, 3\).*\(4,\)"),
    "where": (lambda a, b: tg.where(a > 0, a, b), r"\(2, 3\).*\(4,\)"),
    "mse_loss": (lambda a, b: tg.mse_loss(a, b), r"\(2, 3\).*\(4,\)"),
    "a += b": (lambda a, b: a.add_(tg.zeros(5, 2, 3)), r"\(2, 3\).*\(5, 2, 3\)"),
    "view": (lambda a, b: a.view(4, 2), r"6 elements.*\(4, 2\)"),
    "view(-1, 4)": (lambda a, b: a.view(-1, 4), r"6 elements.*\(-1, 4\)"),
    "view(-1, -1)": (lambda a, b: a.view(-1, -1), "one -1"),
    "view(-2, 3)": (lambda a, b: a.view(-2, -3), "one -1"),
    "expand": (lambda a, b: a.expand(4, 4), r"\(2, 3\)"),
    "permute": (lambda a, b: a.permute(0), "2 dimensions"),
    "t": (lambda a, b: a.view(1, 2, 3).t(), r"\(1, 2, 3\)"),
    "item": (lambda a, b: a.item(), r"one element.*\(2, 3\)"),
    "float": (lambda a, b: float(a), r"one element.*\(2, 3\)"),
    "lists": (lambda a, b: tg.tensor([[1, 2], [3]]), "equal lengths"),
    "size": (lambda a, b: tg.zeros(2, -1), r"\(2, -1\)"),
}


@pytest.mark.parametrize(("act", "message"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_bad_shapes_are_named(act, message):
    with pytest.raises(ShapeError, match=message):
        act(tg.zeros(2, 3), tg.zeros(4))


@pytest.mark.parametrize("act", [
    lambda x, d: x.sum(d), lambda x, d: x.mean(d), lambda x, d: x.sum((0, d)), lambda x, d: x.transpose(0, d),
    lambda x, d: x.size(d), lambda x, d: x.squeeze(d), lambda x, d: x.permute(0, d), lambda x, d: x.unsqueeze(d * 2),
], ids=["sum", "mean", "sum of two", "transpose", "size", "squeeze", "permute", "unsqueeze"])  # fmt: skip
def test_a_dimension_out_of_range_is_named_with_the_allowed_ones(act):
    for dim in (2, -3):
        with pytest.raises(ShapeError, match=r"dimension (-?\d) is out of range .* -\d to \d"):
            act(tg.zeros(2, 3), dim)
        with pytest.raises(IndexError):  # what torch raises
            act(torch.zeros(2, 3), dim)
        with pytest.raises(IndexError):
            act(tg.zeros(2, 3), dim)


@both
def test_a_0d_tensor_can_be_summed_over_dimensions_0_and_minus_1(m):
    x = leaf(m, 3.0)
    for y in (x.sum(0), x.mean(-1), x.sum(-1)):
        y.backward()
    assert x.grad.item() == 3.0
    with pytest.raises(IndexError):
        x.sum(1)


@both
def test_a_new_leading_dimension_needs_a_length(m):
    with pytest.raises((RuntimeError, ValueError), match="-1"):
        m.tensor([1.0, 2.0]).expand(-1, 2)


def test_a_repeated_dimension_is_refused():
    for act in (lambda x: x.sum((0, 0)), lambda x: x.mean((1, -1)), lambda x: x.permute(0, -2)):
        with pytest.raises(ShapeError, match="same dimension twice"):
            act(tg.zeros(2, 3))
    with pytest.raises(DtypeError, match="integer"):
        tg.zeros(2).sum(0.5)


@both
def test_an_index_out_of_range_is_an_index_error(m):
    for index in (3, -4, (0, 5), [7]):
        with pytest.raises(IndexError):
            m.zeros(3, 2)[index]
    with pytest.raises(IndexError):
        m.zeros(())[0]


def test_an_index_error_tells_the_shape():
    with pytest.raises(IndexError, match=r"shape \(3, 2\)"):
        tg.zeros(3, 2)[3]


def test_other_refusals():
    with pytest.raises(DtypeError, match=r"tensor\("):
        tg.Tensor(1.0)
    with pytest.raises(DtypeError, match=r"'\.3f'.*\(2,\).*set_printoptions"):
        f"{tg.zeros(2):.3f}"
    with pytest.raises(DtypeError, match="float"):
        tg.tensor([1, 2]).mean()
    with pytest.raises(DtypeError, match="power -1"):
        tg.tensor([1, 2]) ** -1
    with pytest.raises(DtypeError, match="length"):
        len(tg.tensor(1.0))
    with pytest.raises(DtypeError, match="index"):
        [1, 2][tg.tensor(1.0)]
    counts = tg.tensor([1])
    with pytest.raises(DtypeError, match="int64"):
        counts += 0.5
    assert [1, 2][tg.tensor(1)] == 2


# membership and copies


@both
def test_a_number_is_in_a_tensor_of_any_shape(m):
    x = m.tensor([[1.0, 2.0], [3.0, float("nan")]])
    assert 2.0 in x
    assert m.tensor(3.0) in x
    assert 5 not in x
    assert float("nan") not in x
    assert 1.0 not in m.zeros(0)
    assert 3 in m.tensor(3)
    assert m.tensor([1.0, 0.0]) in x


@both
def test_a_deep_copy_has_the_gradient_of_a_tensor_and_not_that_of_a_parameter(m):
    w = leaf(m, [1.0, 2.0])
    (w * w).sum().backward()
    twin, again = copy.deepcopy([w, w])
    assert twin is again
    assert twin.grad.tolist() == [2.0, 4.0]
    assert twin.grad is not w.grad
    (twin * 3).sum().backward()
    assert (twin.grad.tolist(), w.grad.tolist()) == ([5.0, 7.0], [2.0, 4.0])
    parameter = m.nn.Parameter(m.tensor([1.0]))
    (parameter * 2).sum().backward()
    twin = copy.deepcopy(parameter)
    assert (type(twin), twin.grad, twin.requires_grad) == (m.nn.Parameter, None, True)
    assert copy.copy(w).grad is None or m is torch


# conversions


@both
def test_to_takes_torchs_flags_by_place_and_by_name(m):
    x = m.ones(2)
    assert x.to("cpu") is x.to(m.float32, True) is x.to(x, True, False) is x
    for copied in (x.to("cpu", m.float32, True, True), x.to(m.float32, copy=True), x.to(x, False, True)):
        assert copied is not x
        assert copied.tolist() == [1.0, 1.0]
    assert x.to("cpu", m.float64, non_blocking=True).dtype == m.float64
    w = leaf(m, [1.0])
    w.to(m.float32, copy=True).sum().backward()
    assert w.grad.tolist() == [1.0]


@both
def test_dtypes_have_torchs_names(m):
    assert m.half is m.float16
    assert m.short is m.int16
    for name in ("float16", "int16", "int8", "uint8"):
        assert dtype_name(m.zeros(2, dtype=getattr(m, name))) == name


@both
def test_a_program_that_catches_torchs_error_catches_this_one(m):
    for wrong in (
        lambda: m.ones(2) @ m.ones(3),
        lambda: m.ones(2) + m.ones(3),
        lambda: m.ones(2, 3).view(4),
        lambda: m.cat([m.ones(2, 2), m.ones(3, 3)]),
        lambda: m.ones(2, requires_grad=True).backward(),
        lambda: m.ones(2, dtype=m.int64).requires_grad_(),
    ):
        with pytest.raises(RuntimeError):
            wrong()
