"""Methods of tensors made from functions: `x.exp()` is `exp(x)`, and `x.exp_()` writes that into x, as in torch."""

from __future__ import annotations

import builtins
import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from tinygrad_poly import functions
from tinygrad_poly.derivatives import arithmetic
from tinygrad_poly.engine import apply
from tinygrad_poly.engine.apply import binary, comparison, is_recording
from tinygrad_poly.engine.errors import GraphError, ShapeError
from tinygrad_poly.functions.comparisons import on_bits
from tinygrad_poly.writing import Viewable, assign, check_in_place, leave, like, turn, write

if TYPE_CHECKING:
    from tinygrad_poly.tensor import Tensor

P = ParamSpec("P")
T = TypeVar("T", bound=Viewable)


def in_place(function: Callable[Concatenate[Any, P], Any], name: str = "") -> Callable[Concatenate[T, P], T]:
    """The method that writes the result of `function` into its tensor: `x.exp_()` for `exp`, `x += y` for `+`."""
    called = name or f"{function.__name__}_()"

    @functools.wraps(function)
    def method(self: T, *args: P.args, **kwargs: P.kwargs) -> T:
        if is_recording():
            check_in_place(self, called)
        result = function(self, *args, **kwargs)
        if result is NotImplemented:
            return NotImplemented  # type: ignore[no-any-return]
        return write(self, result, called)

    method.__name__ = method.__qualname__ = called.removesuffix("()")
    method.__doc__ = f"`{function.__name__}`, written into the tensor itself; returns the tensor."
    return method  # type: ignore[return-value]


class _Methods:
    """Methods that are made of names: what is assigned to `exp` in a class is replaced by what `make` makes for "exp".

    All return tensors. Functions that have options, or return something else, are methods by themselves: a checker of
    types knows then what they take and return.
    """

    def __init__(self, make: Callable[[type[Any], str], Callable[..., Any]]) -> None:
        self.make = make

    def __set_name__(self, owner: type[Any], name: str) -> None:
        setattr(owner, name, self.make(owner, name))

    def __get__(self, tensor: Any, owner: type[Any]) -> Callable[..., Tensor]:
        raise NotImplementedError("the class has another method in its place")


_function = _Methods(lambda owner, name: getattr(functions, name))
_in_place = _Methods(lambda owner, name: in_place(getattr(owner, name.removesuffix("_"))))


def rearranged(x: T, function: Callable[..., Tensor], *dims: Any) -> T:
    """The tensor `x` itself, made the view of its memory that `function` returns, as by `x.t_()`.

    Raises:
        GraphError: for a leaf that requires grad, and under no_grad for all that do: a graph has one shape.
    """
    name = f"{function.__name__}_()"
    check_in_place(x, name)
    if x.node is not None and not is_recording():
        raise GraphError(f"{name} would change the shape of a tensor that requires grad under no_grad; use x = x.t()")
    old = like(x)
    seen: Any = function(old, *dims)
    leave(x, old)
    turn(x, seen.base, seen.steps, seen.mode, seen.array, seen.node)
    return x


def _converted(dtype: str) -> Callable[[Any], Tensor]:
    def method(self: Any) -> Tensor:
        found: Tensor = self.to(dtype=dtype)
        return found

    method.__doc__ = f"The tensor in {dtype}."
    return method


def _new(name: str) -> Callable[..., Tensor]:
    """The method that makes a tensor, by the function of a name, in the dtype and place of its own."""

    def method(self: Any, *data: Any, dtype: Any = None, device: Any = None, **options: Any) -> Tensor:
        make = getattr(apply.tensor_namespace, name)
        return make(*data, dtype=dtype or self.dtype, device=device or self.device, **options)  # type: ignore[no-any-return]

    method.__doc__ = "A new tensor, by default in the dtype and on the device of this one."
    return method


class Conversions(Viewable):
    """Methods by which a tensor comes into another dtype, or another tensor into its own."""

    __slots__ = ()

    float, double, half = _converted("float32"), _converted("float64"), _converted("float16")
    long, int, short = _converted("int64"), _converted("int32"), _converted("int16")
    char, byte, bool = _converted("int8"), _converted("uint8"), _converted("bool")
    new_tensor, new_zeros, new_ones, new_empty, new_full = map(_new, ("tensor", "zeros", "ones", "empty", "full"))

    def type(self: Any, dtype: Any = None, non_blocking: builtins.bool = False) -> Any:
        """Torch's old name for the dtype, such as "torch.FloatTensor"; with a dtype the tensor in it."""
        typed = apply.tensor_namespace.creation.TYPED
        if dtype is None:
            return "torch." + next((name for name, kind in typed.items() if self.dtype == kind), f"{self.dtype}")
        name = str(getattr(dtype, "__name__", dtype)).removeprefix("torch.")
        return self.to(dtype=typed.get(name, dtype))

    def type_as(self: Any, other: Tensor) -> Tensor:
        """The tensor in the dtype and on the device of another."""
        found: Tensor = self.to(other)
        return found

    def astype(self: Any, dtype: Any) -> Tensor:
        """The tensor in another dtype, under NumPy's name."""
        found: Tensor = self.to(dtype=dtype, copy=True)
        return found


class Methods(Conversions):
    """The methods of `Tensor` that are made from functions, in place or not."""

    __slots__ = ()

    # Functions that are methods too: elementwise

    exp = exp2 = expm1 = log = log2 = log10 = log1p = square = sqrt = rsqrt = reciprocal = sin = cos = tan = _function
    asin = acos = atan = arcsin = arccos = arctan = sinh = cosh = tanh = asinh = acosh = atanh = arcsinh = _function
    arccosh = arctanh = erf = erfc = sinc = sigmoid = relu = abs = absolute = neg = negative = positive = _function
    sign = sgn = floor = ceil = trunc = fix = frac = deg2rad = rad2deg = _function
    round, nan_to_num, masked_fill = functions.round, functions.nan_to_num, functions.masked_fill

    def where(self, condition: Any, other: Any) -> Tensor:
        """The elements of the tensor where `condition` holds, of `other` elsewhere."""
        return functions.where(condition, self, other)

    # Arithmetic functions

    mul = multiply = pow = remainder = fmod = floor_divide = maximum = minimum = fmax = fmin = heaviside = _function
    hypot = atan2 = arctan2 = logaddexp = logaddexp2 = xlogy = copysign = clamp_min = clamp_max = _function
    add, sub, subtract = functions.add, functions.sub, functions.subtract
    div, divide, true_divide = functions.div, functions.divide, functions.true_divide
    clamp, clip, logit = functions.clamp, functions.clip, functions.logit
    lerp, addcmul, addcdiv = functions.lerp, functions.addcmul, functions.addcdiv

    # Comparing functions

    eq = ne = lt = le = gt = ge = not_equal = less = less_equal = greater = greater_equal = logical_and = _function
    logical_or = logical_xor = logical_not = isnan = isinf = isfinite = bitwise_and = bitwise_or = _function
    bitwise_xor = bitwise_left_shift = bitwise_right_shift = bitwise_not = _function
    isclose, allclose, equal = functions.isclose, functions.allclose, functions.equal
    is_floating_point, is_nonzero = functions.is_floating_point, functions.is_nonzero
    __lshift__, __rshift__ = comparison(on_bits(operator.lshift, "<<")), comparison(on_bits(operator.rshift, ">>"))
    __rlshift__ = comparison(on_bits(lambda a, b: b << a, "<<"))
    __rrshift__ = comparison(on_bits(lambda a, b: b >> a, ">>"))

    # Reductions

    sum, mean, prod = functions.sum, functions.mean, functions.prod
    nansum, nanmean, logsumexp = functions.nansum, functions.nanmean, functions.logsumexp
    var, std, norm = functions.var, functions.std, functions.norm
    amax, amin, aminmax = functions.amax, functions.amin, functions.aminmax
    any, all, count_nonzero = functions.any, functions.all, functions.count_nonzero
    cumsum, cumprod = functions.cumsum, functions.cumprod
    cummax, cummin, logcumsumexp, diff = functions.cummax, functions.cummin, functions.logcumsumexp, functions.diff
    quantile, nanquantile, cov, corrcoef = (
        functions.quantile, functions.nanquantile, functions.cov, functions.corrcoef,
    )  # fmt: skip
    dist, histc, bincount, unique = functions.dist, functions.histc, functions.bincount, functions.unique
    unique_consecutive = functions.unique_consecutive
    softmax, log_softmax = functions.softmax, functions.log_softmax

    # Order

    max, min, median = functions.max, functions.min, functions.median
    argmax, argmin, argsort = functions.argmax, functions.argmin, functions.argsort
    sort, topk = functions.sort, functions.topk

    # Linear algebra

    matmul, mm, mv, bmm = functions.matmul, functions.mm, functions.mv, functions.bmm
    dot, vdot, inner, outer = functions.dot, functions.vdot, functions.inner, functions.outer
    addmv, addbmm, baddbmm, addr = functions.addmv, functions.addbmm, functions.baddbmm, functions.addr
    addmm, kron, cross, trace = functions.addmm, functions.kron, functions.cross, functions.trace
    det, slogdet, logdet = functions.det, functions.slogdet, functions.logdet
    inverse, pinverse, matrix_power = functions.inverse, functions.pinverse, functions.matrix_power
    cholesky, cholesky_solve = functions.cholesky, functions.cholesky_solve
    cholesky_inverse, matrix_exp = functions.cholesky_inverse, functions.matrix_exp
    svd, qr = functions.svd, functions.qr

    # Shapes

    reshape, view = functions.reshape, functions.shapes.view
    flatten, unflatten, ravel = functions.flatten, functions.unflatten, functions.ravel
    squeeze, unsqueeze = functions.squeeze, functions.unsqueeze
    permute, t = functions.permute, functions.t
    transpose = swapaxes = swapdims = functions.transpose
    movedim = moveaxis = functions.movedim
    view_as, reshape_as = functions.shapes.view_as, functions.shapes.reshape_as
    expand = broadcast_to = functions.expand
    expand_as, flip, roll, rot90 = functions.expand_as, functions.flip, functions.roll, functions.rot90
    split, chunk, tensor_split, unbind = functions.split, functions.chunk, functions.tensor_split, functions.unbind
    hsplit, vsplit, dsplit = functions.hsplit, functions.vsplit, functions.dsplit
    fliplr, flipud = functions.fliplr, functions.flipud
    tile, repeat, repeat_interleave = functions.tile, functions.joining.repeated, functions.repeat_interleave
    diag, diagonal, diag_embed = functions.diag, functions.diagonal, functions.diag_embed
    tril, triu = functions.tril, functions.triu
    clone = copy = functions.clone

    # Indexing

    select, narrow, take = functions.select, functions.narrow, functions.take
    gather, take_along_dim = functions.gather, functions.take_along_dim
    scatter, scatter_add = functions.scatter, functions.scatter_add
    index_select, index_add, index_put = functions.index_select, functions.index_add, functions.index_put
    index_fill, index_copy = functions.index_fill, functions.index_copy
    masked_scatter, scatter_reduce = functions.masked_scatter, functions.scatter_reduce
    masked_select, nonzero = functions.masked_select, functions.nonzero

    # In place

    # Not the functions, which have options: a training step ends here.
    __iadd__, __isub__ = in_place(binary(arithmetic.add), "+="), in_place(binary(arithmetic.subtract), "-=")
    __imul__, __itruediv__ = in_place(binary(arithmetic.multiply), "*="), in_place(binary(arithmetic.divide), "/=")
    __imod__, __ifloordiv__ = in_place(functions.remainder, "%="), in_place(functions.floor_divide, "//=")
    __ipow__ = in_place(functions.pow, "**=")
    __iand__, __ior__ = in_place(functions.bitwise_and, "&="), in_place(functions.bitwise_or, "|=")
    __ixor__, __ilshift__ = in_place(functions.bitwise_xor, "^="), in_place(functions.bitwise_left_shift, "<<=")
    __irshift__ = in_place(functions.bitwise_right_shift, ">>=")
    add_ = sub_ = subtract_ = mul_ = multiply_ = div_ = divide_ = true_divide_ = pow_ = remainder_ = fmod_ = _in_place
    floor_divide_ = lerp_ = addcmul_ = addcdiv_ = addmm_ = addmv_ = addbmm_ = baddbmm_ = addr_ = heaviside_ = _in_place
    hypot_ = atan2_ = arctan2_ = xlogy_ = logit_ = copysign_ = exp_ = exp2_ = expm1_ = log_ = log2_ = log10_ = _in_place
    log1p_ = square_ = sqrt_ = rsqrt_ = reciprocal_ = sin_ = cos_ = tan_ = sinc_ = asin_ = acos_ = atan_ = _in_place
    arcsin_ = arccos_ = arctan_ = sinh_ = cosh_ = tanh_ = asinh_ = acosh_ = atanh_ = arcsinh_ = arccosh_ = _in_place
    arctanh_ = erf_ = erfc_ = sigmoid_ = relu_ = abs_ = absolute_ = neg_ = negative_ = sign_ = sgn_ = floor_ = _in_place
    ceil_ = round_ = trunc_ = fix_ = frac_ = deg2rad_ = rad2deg_ = clamp_ = clip_ = clamp_min_ = clamp_max_ = _in_place
    nan_to_num_ = cumsum_ = cumprod_ = masked_fill_ = tril_ = triu_ = masked_scatter_ = eq_ = ne_ = lt_ = _in_place
    le_ = gt_ = ge_ = not_equal_ = less_ = less_equal_ = greater_ = greater_equal_ = logical_and_ = _in_place
    logical_or_ = logical_xor_ = logical_not_ = bitwise_not_ = bitwise_and_ = bitwise_or_ = bitwise_xor_ = _in_place
    bitwise_left_shift_ = bitwise_right_shift_ = index_fill_ = index_copy_ = index_add_ = index_put_ = _in_place
    scatter_ = scatter_add_ = scatter_reduce_ = _in_place
    fill_diagonal_ = in_place(functions.diagonals.fill_diagonal)

    def copy_(self, src: Any, non_blocking: bool = False) -> Self:
        """Write `src` into the tensor, cast to its dtype and repeated to its shape."""
        return assign(self, src, "copy_()")

    def fill_(self, value: Any) -> Self:
        """Set every element to one number, or to the element of a 0-d tensor, which gets the gradient."""
        if getattr(value, "shape", ()):
            raise ShapeError(f"fill_() expects a number or a 0-d tensor, not one of shape {value.shape}; use copy_()")
        return assign(self, value, "fill_()")

    def zero_(self) -> Self:
        """Set every element to 0."""
        return assign(self, 0, "zero_()")

    def uniform_(self, low: builtins.float = 0.0, to: builtins.float = 1.0, *, generator: Any = None) -> Self:
        """Set every element to a random number, uniform from `low` to `to`, as torch does for the same seed."""
        return assign(self, apply.tensor_namespace.random.uniform_like(self, low, to, generator), "uniform_()")

    def normal_(self, mean: builtins.float = 0.0, std: builtins.float = 1.0, *, generator: Any = None) -> Self:
        """Set every element to a random number of the normal distribution."""
        return assign(self, apply.tensor_namespace.random.normal_like(self, mean, std, generator), "normal_()")

    def bernoulli_(self, p: Any = 0.5, *, generator: Any = None) -> Self:
        """Set every element to 1 with probability p, a number or a tensor, else to 0."""
        return assign(self, apply.tensor_namespace.random.bernoulli_like(self, p, generator), "bernoulli_()")

    def exponential_(self, lambd: builtins.float = 1.0, *, generator: Any = None) -> Self:
        """Set every element to a random number of the exponential distribution, whose mean is 1/`lambd`."""
        return assign(self, apply.tensor_namespace.random.exponential_like(self, lambd, generator), "exponential_()")

    def random_(self, low: Any = None, to: Any = None, *, generator: Any = None) -> Self:
        """Set every element to a random whole number, `low` ≤ n < `to`; by default any ≥ 0 that the dtype holds."""
        return assign(self, apply.tensor_namespace.random.whole_like(self, low, to, generator), "random_()")

    def squeeze_(self, *dim: int) -> Self:
        """Change the tensor itself as `squeeze` does."""
        return rearranged(self, functions.squeeze, *dim)

    def unsqueeze_(self, dim: int) -> Self:
        """Change the tensor itself as `unsqueeze` does."""
        return rearranged(self, functions.unsqueeze, dim)

    def transpose_(self, dim0: int, dim1: int) -> Self:
        """Change the tensor itself as `transpose` does."""
        return rearranged(self, functions.transpose, dim0, dim1)

    def t_(self) -> Self:
        """Change the tensor itself as `t` does."""
        return rearranged(self, functions.t)

    swapaxes_ = swapdims_ = transpose_
