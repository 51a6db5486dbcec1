"""What each transform says about functions and arguments that it cannot work with."""

import copy
import math

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly import func
from tinygrad_poly.engine import recording
from tinygrad_poly.engine.errors import DtypeError, GraphError, ShapeError, StructureError

X = tg.tensor([1.0, 2.0])
V = tg.tensor([1.0, 1.0])


def apply(name, f, x, **options):
    """Use the transform of this name on a function of one argument."""
    transform = getattr(func, name)
    if name in ("jvp", "hvp"):
        return transform(f, (x,), (x,), **options)
    if name in ("vjp", "linearize"):
        return transform(f, x, **options)
    return transform(f, **options)(x)


GRADIENTS = ["grad", "grad_and_value", "value_and_grad", "hvp"]
OTHERS = ["jacrev", "jacfwd", "hessian", "vjp", "jvp", "linearize"]
every = pytest.mark.parametrize("name", GRADIENTS + OTHERS)
gradients = pytest.mark.parametrize("name", GRADIENTS)
of_argnums = pytest.mark.parametrize(
    "name", ["grad", "grad_and_value", "value_and_grad", "jacrev", "jacfwd", "hessian"]
)
with_aux = pytest.mark.parametrize(
    "name", ["grad", "grad_and_value", "value_and_grad", "jacrev", "jacfwd", "vjp", "jvp"]
)


@every
@pytest.mark.parametrize(("value", "kind"), [(3.0, "float"), (np.ones(2), "ndarray"), ("a", "str"), ({1}, "set")])
def test_an_argument_that_is_no_tensor(name, value, kind):
    with pytest.raises(DtypeError, match=rf"{name}\(\): argument 0\['w'\]\[1\] must be a tensor, not {kind}"):
        apply(name, lambda p: p["w"][0].sum(), {"w": [X, value]})


@every
@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_an_argument_that_has_no_derivative(name, dtype):
    with pytest.raises(DtypeError, match=rf"{name}\(\): argument 0 is {dtype}"):
        apply(name, lambda x: x.sum(), tg.tensor(np.ones(2, dtype)))


@every
@pytest.mark.parametrize(("value", "kind"), [(3.0, "float"), ("a", "str"), (np.ones(2), "ndarray")])
def test_a_function_that_returns_no_tensor(name, value, kind):
    with pytest.raises(DtypeError, match=rf"{name}\(\): the function's result must be a tensor, not {kind}"):
        apply(name, lambda x: value, X)


@every
@pytest.mark.parametrize(("value", "shown"), [(None, "None"), ([], r"\[\]"), ((None, {}), r"\(None, \{\}\)")])
def test_a_function_that_returns_nothing(name, value, shown):
    with pytest.raises(DtypeError, match=rf"{name}\(\): the function must return a tensor, and it returned {shown}"):
        apply(name, lambda x: value, X)


@every
def test_a_function_that_returns_integers(name):
    with pytest.raises(DtypeError, match=rf"{name}\(\): the function's result is int64.*has_aux"):
        apply(name, lambda x: tg.tensor(3), X)


@pytest.mark.parametrize("name", OTHERS)
def test_a_result_with_something_else_inside(name):
    with pytest.raises(DtypeError, match=rf"{name}\(\): the function's result\['b'\] must be a tensor, not float"):
        apply(name, lambda x: {"a": x, "b": 3.0}, X)


@gradients
def test_a_gradient_of_what_is_no_scalar(name):
    for f, shape in [(lambda x: x * x, r"\(2,\)"), (lambda x: x.sum().reshape(1), r"\(1,\)")]:
        with pytest.raises(ShapeError, match=rf"{name}\(\): the function must return a scalar.* shape {shape}.*jacrev"):
            apply(name, f, X)


@gradients
def test_a_gradient_of_several_outputs(name):
    with pytest.raises(DtypeError, match=rf"{name}\(\): the function must return one scalar tensor.*\(\*, \*\)"):
        apply(name, lambda x: (x.sum(), x.sum()), X)


@with_aux
@pytest.mark.parametrize(
    ("result", "given"),
    [(lambda x: x.sum(), "Tensor"), (lambda x: (x.sum(),), "a tuple of 1"), (lambda x: (x.sum(), 1, 2), "a tuple of 3"),
     (lambda x: [x.sum(), 1], "list"), (lambda x: None, "NoneType")],
)  # fmt: skip
def test_a_function_without_the_aux_that_was_promised(name, result, given):
    with pytest.raises(StructureError, match=rf"{name}\(\): with has_aux=True .*\(output, aux\), not {given}"):
        apply(name, result, X, has_aux=True)


@of_argnums
@pytest.mark.parametrize(
    ("argnums", "message"),
    [(1, "argnums names argument 1, but the function was called with 1 positional argument"),
     (-2, "argnums names argument -2"), ((0, 5), "argnums names argument 5"), ((), "argnums must be an int or a tuple"),
     ("x", "argnums must be an int or a tuple of one or more, not 'x'"), ([0], "not \\[0\\]"), (None, "not None"),
     ((0, 0), "names the same argument twice"), ((0, -1), "names the same argument twice")],
)  # fmt: skip
def test_argnums_that_name_no_argument(name, argnums, message):
    with pytest.raises(StructureError, match=rf"{name}\(\): .*{message}"):
        apply(name, lambda x: x.sum(), X, argnums=argnums)


@of_argnums
def test_an_argument_given_by_keyword_has_no_position(name):
    with pytest.raises(StructureError, match=r"argument 0, but .* called with 0 positional arguments"):
        getattr(func, name)(lambda x: x.sum())(x=X)


@pytest.mark.parametrize("name", ["vjp", "linearize", "jvp", "hvp"])
def test_products_without_primals(name):
    with pytest.raises(StructureError, match=rf"{name}\(\): there is nothing to differentiate by"):
        getattr(func, name)(lambda: X, *([(), ()] if name in ("jvp", "hvp") else []))


@pytest.mark.parametrize("name", ["jvp", "hvp"])
def test_primals_and_tangents_are_tuples(name):
    product = getattr(func, name)
    with pytest.raises(StructureError, match=rf"{name}\(\): primals must be a tuple .* not Tensor; .* \(x,\)"):
        product(lambda x: x.sum(), X, V)
    with pytest.raises(StructureError, match=rf"{name}\(\): tangents must be a tuple .* not Tensor"):
        product(lambda x: x.sum(), (X,), V)


@pytest.mark.parametrize("name", ["jvp", "hvp"])
def test_tangents_have_the_structure_of_the_primals(name):
    product = getattr(func, name)
    for primals, tangents, shown in [
        (({"a": X},), ({"b": V},), r"\(\{'a': \*\},\)\n  \(\{'b': \*\},\)"),
        (([X, X],), ((V, V),), r"\(\[\*, \*\],\)\n  \(\(\*, \*\),\)"),
        ((X, X), (V,), r"\(\*, \*\)\n  \(\*,\)"),
        (({"a": X, "b": None},), ({"a": V, "b": V},), r"\(\{'a': \*, 'b': None\},\)\n"),
    ]:
        with pytest.raises(
            StructureError, match=rf"{name}\(\): primals and tangents must .* same structure.*\n  {shown}"
        ):
            product(lambda *p: tg.tensor(0.0), primals, tangents)


@pytest.mark.parametrize("name", ["jvp", "hvp", "linearize"])
@pytest.mark.parametrize(
    ("tangent", "error", "message"),
    [(tg.tensor([1.0]), ShapeError, r"the tangent of primal 0\['a'\] has shape \(1,\), but primal 0\['a'\] has \(2,\)"),
     (V.double(), DtypeError, r"is float64, but primal 0\['a'\] is float32; .*\.to\(float32\)"),
     (tg.tensor([1, 1]), DtypeError, "is int64"), (1.0, DtypeError, "must be a tensor, not float")],
)  # fmt: skip
def test_tangents_have_the_shape_and_dtype_of_the_primals(name, tangent, error, message):
    def product(f, primals, tangents):
        if name == "linearize":
            return func.linearize(f, *primals)[1](*tangents)
        return getattr(func, name)(f, primals, tangents)

    with pytest.raises(error, match=rf"{name}\(\): .*{message}"):
        product(lambda p: p["a"].sum(), ({"a": X},), ({"a": tangent},))


@pytest.mark.parametrize(
    ("cotangent", "error", "message"),
    [((V, V, V), StructureError, r"outputs and cotangents must have .*\n  \(\*, \*\)\n  \(\*, \*, \*\)"),
     ([V, V], StructureError, r"\(\*, \*\)\n  \[\*, \*\]"), (V, StructureError, r"\(\*, \*\)\n  \*"),
     ((V, tg.tensor(1.0)), ShapeError, r"the cotangent of output\[1\] has shape \(\), but output\[1\] has \(2,\)"),
     ((V.double(), V), DtypeError, r"the cotangent of output\[0\] is float64, but output\[0\] is float32"),
     ((V, None), StructureError, r"\(\*, None\)"), ((V, 2.0), DtypeError, "must be a tensor, not float")],
)  # fmt: skip
def test_cotangents_are_like_the_outputs(cotangent, error, message):
    _, vjp_fn = func.vjp(lambda x: (x, x * 2), X)
    with pytest.raises(error, match=rf"(?s)vjp\(\): .*{message}"):
        vjp_fn(cotangent)
    assert vjp_fn((V, V))[0].tolist() == [3.0, 3.0]


def test_an_error_of_the_function_is_its_own():
    with pytest.raises(ZeroDivisionError):
        func.hessian(lambda x: 1 / 0)(X)


def numpy_cost(w):
    return np.mean((w.detach().numpy() * np.array([1.0, 2.0]) - 1) ** 2)


CUT = {
    "float": lambda w: tg.tensor(float((w * w).sum())),
    "item": lambda w: tg.tensor((w * 2).item()) * 3,
    "math": lambda w: tg.tensor(math.sin(w)),
    "numpy": lambda w: tg.tensor(numpy_cost(w)),
    "a list": lambda w: tg.tensor((w + 1).reshape(1).tolist()).sum(),
    "format": lambda w: tg.tensor(float(f"{w:.3f}")),
}


@pytest.mark.parametrize("transform", [func.grad, func.hessian, func.jacrev, func.jacfwd], ids=lambda f: f.__name__)
@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_a_result_that_was_cut_from_the_tape_has_no_gradient_of_0(transform, cut):
    with pytest.raises(
        GraphError, match=r"argument 0 through tensors, but its numbers were read at .*test_bad_input\.py"
    ):
        transform(cut)(tg.tensor(0.5))


def test_one_of_two_arguments_may_be_cut():
    with pytest.raises(GraphError, match=r"on argument 0\['w'\] through tensors"):
        func.grad(lambda p: p["b"] * float(p["w"]))({"w": tg.tensor(2.0), "b": tg.tensor(3.0)})


@pytest.mark.parametrize(
    "cut",
    [
        lambda w: tg.tensor(w * w),
        lambda w: tg.tensor([w * w, w]).sum(),
        lambda w: tg.as_tensor([w, w]).sum(),
        lambda w: tg.FloatTensor([[w * w]]).sum(),
        lambda w: copy.copy(w) * 2,
        lambda w: copy.deepcopy(w) * 2,
    ],
    ids=["tensor", "list", "as_tensor", "FloatTensor", "copy", "deepcopy"],
)
@pytest.mark.parametrize("name", ["grad", "jacrev", "jacfwd", "hessian", "vjp", "jvp"])
def test_a_copy_that_forgets_its_graph_is_a_read(name, cut):
    with pytest.raises(GraphError, match=r"argument 0 through tensors, but its numbers were read at .*\.py, line"):
        apply(name, cut, tg.tensor(0.5))


def test_a_copy_of_what_is_not_differentiated_is_a_constant():
    assert func.grad(lambda w, b: tg.tensor(b) * 2, argnums=0)(tg.tensor(1.0), tg.tensor(2.0)).item() == 0
    assert func.grad(lambda w: tg.tensor(w) * w)(tg.tensor(3.0)).item() == 3


ONES = tg.ones(2)


@pytest.mark.parametrize(
    "option",
    [
        lambda w: tg.nn.functional.leaky_relu(-ONES, w),
        lambda w: tg.nn.functional.elu(-ONES, w),
        lambda w: tg.nn.functional.softplus(ONES, w),
        lambda w: tg.nan_to_num(ONES, w),
        lambda w: tg.nan_to_num(ONES, posinf=w),
        lambda w: tg.pad(ONES, (1, 1), value=w),
        lambda w: tg.std(ONES, correction=w),
    ],
    ids=["leaky_relu", "elu", "softplus", "nan", "posinf", "pad", "std"],
)
def test_an_option_that_takes_no_gradient_refuses_a_tensor_with_one(option):
    with pytest.raises(GraphError, match=r"no gradient flows to"):
        func.grad(lambda w: option(w).sum())(tg.tensor(0.5))
    with pytest.raises((DtypeError, TypeError), match="complex"):
        option(1j)
    np.testing.assert_array_equal(option(tg.tensor(0.5)).numpy(), option(0.5).numpy())


def test_what_is_read_beside_the_tape_and_what_is_constant_is_no_mistake():
    seen = []

    def logged(w):
        seen.append((w * w).item())
        return w * w

    assert func.grad(logged)(tg.tensor(3.0)).item() == 6
    assert seen == [9]
    assert func.grad(lambda w, b: b * float(w), argnums=1)(tg.tensor(2.0), tg.tensor(3.0)).item() == 2
    assert func.grad(lambda w: tg.tensor(5.0))(tg.tensor(3.0)).item() == 0
    assert func.grad(lambda w: w.detach() * 2)(tg.tensor(3.0)).item() == 0
    assert func.grad(lambda w: tg.tensor(1.0) if w > 0 else -w)(tg.tensor(3.0)).item() == 0
    assert func.grad(lambda w: tg.tensor(1.0) if w else -w)(tg.tensor(3.0)).item() == 0
    assert func.hessian(logged)(tg.tensor(3.0)).item() == 2


def test_a_function_that_raises_leaves_nothing_that_is_noted():
    with pytest.raises(ZeroDivisionError):
        func.grad(lambda w: w / 0 if w.item() else 1 // 0)(tg.tensor(0.0))
    assert recording.reads.get() == ()


@pytest.mark.parametrize("value", [0.5, [0.5, 1.0], np.array([0.5, 1.0])], ids=["float", "list", "array"])
def test_numbers_lists_and_arrays_are_taken_as_float64_tensors(value):
    def total(x):
        return (x * x).sum()

    gradient = tg.func.grad(total)(value)
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(gradient.numpy(), 2 * np.asarray(value))
    value, tangent = tg.func.jvp(total, (value,), (value,))
    np.testing.assert_allclose(tangent.numpy(), 2 * value.numpy())
