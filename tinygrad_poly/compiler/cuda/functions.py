"""NumPy's functions in CUDA C++: expressions, and definitions of those that C++ lacks or defines differently.

C++ takes the function of the argument's type, `sin(float)` or `sin(double)`.
"""

import keyword
import re
import unicodedata

from tinygrad_poly.compiler.loops.printer import ATOM, OF_C, SIGN, all_called

TYPES = {
    "bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "float32": "float",
    "float64": "double",
}  # fmt: skip

_CALLS = """
sin cos tan sinh cosh tanh exp exp2 expm1 log log2 log10 log1p sqrt cbrt floor ceil trunc rint fabs
isfinite isinf isnan signbit square logaddexp logaddexp2 fmod fmax fmin hypot copysign nextafter maximum minimum
arcsin=asin arccos=acos arctan=atan arctan2=atan2 arcsinh=asinh arccosh=acosh arctanh=atanh absolute=abs
sign=sign_of power=pow float_power=pow remainder=modulo
"""
_FUNCTIONS = all_called(_CALLS)

OPERATORS = {
    **OF_C,
    "bitwise_and": ("({} & {})", ATOM, (SIGN, SIGN)),
    "bitwise_or": ("({} | {})", ATOM, (SIGN, SIGN)),
    "bitwise_xor": ("({} ^ {})", ATOM, (SIGN, SIGN)),
    "invert": ("~{}", SIGN, (ATOM,)),
    **_FUNCTIONS,
}
"""For each function its C++ expression, how tightly that binds, and how tightly each input has to bind."""

_TWO = {"sum": "a + b", "prod": "a * b", "max": "maximum(a, b)", "min": "minimum(a, b)"}
"""How two parts of a reduction become one."""

_HELPERS = {
    "INFINITY": "#define INFINITY __longlong_as_double(0x7ff0000000000000)",
    "NAN": "#define NAN __longlong_as_double(0x7ff8000000000000)",
    # NaN wins, unlike in fmax and fmin.
    "maximum": "template <typename T> __device__ T maximum(T a, T b) { return a > b || a != a ? a : b; }",
    "minimum": "template <typename T> __device__ T minimum(T a, T b) { return a < b || a != a ? a : b; }",
    "sign_of": "template <typename T> __device__ T sign_of(T x) { return x > 0 ? T(1) : x < 0 ? T(-1) : x + T(0); }",
    "square": "template <typename T> __device__ T square(T x) { return x * x; }",
    "modulo": """\
template <typename T> __device__ T modulo(T a, T b) {              // Python's %, with the sign of b
    const T rest = fmod(a, b);
    if (rest == 0) return copysign(rest, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}""",
    "logaddexp": """\
template <typename T> __device__ T logaddexp(T a, T b) {
    if (a == b) return a + T(0.6931471805599453);                  // infinities, too
    return a > b ? a + log1p(exp(b - a)) : a < b ? b + log1p(exp(a - b)) : a - b;
}""",
    "logaddexp2": """\
template <typename T> __device__ T logaddexp2(T a, T b) {
    const T log2_of_e = T(1.4426950408889634);
    if (a == b) return a + T(1);
    return a > b ? a + log2_of_e * log1p(exp2(b - a)) : a < b ? b + log2_of_e * log1p(exp2(a - b)) : a - b;
}""",
}

_OF_BLOCK = """\
template <typename Of, typename T> __device__ void of_warp(T& value) {
    for (int far = 16; far > 0; far /= 2) value = Of::two(value, T(__shfl_down_sync(0xffffffff, value, far)));
}
template <typename Of, typename T> __device__ void of_warps(T& value, const T* parts) {
    value = parts[0];
    for (int warp = 1; warp < blockDim.x / 32; warp++) value = Of::two(value, parts[warp]);
}
template <typename Of, typename... T> __device__ void of_block(T&... values) {
    __shared__ double memory[sizeof...(T)][32];                    // a row for each value, a place for each warp
    const int warp = threadIdx.x / 32;
    (of_warp<Of>(values), ...);
    __syncthreads();                                               // what was in memory has been read
    int row = 0;
    if (threadIdx.x % 32 == 0) ((reinterpret_cast<T*>(memory[row++])[warp] = values), ...);
    __syncthreads();
    row = 0;
    (of_warps<Of>(values, reinterpret_cast<T*>(memory[row++])), ...);
}"""

_OF = """\
// Each value becomes the {name} of those of all threads of the block, in an order that is always the same.
struct {name}_of {{ template <typename T> static __device__ T two(T a, T b) {{ return {two}; }} }};
template <typename... T> __device__ void block_{name}(T&... values) {{ of_block<{name}_of>(values...); }}"""


def prelude(text: str) -> str:
    """The definitions of the functions that kernels call and C++ lacks."""
    blocks = [_OF.format(name=name, two=two) for name, two in _TWO.items() if f"block_{name}(" in text]
    wanted = "\n".join([text, *blocks])
    parts = [helper for name, helper in _HELPERS.items() if re.search(rf"\b{name}\b", wanted)]
    parts += [_OF_BLOCK, *blocks] if blocks else []
    return "".join(f"{part}\n\n" for part in parts)


_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl concept const
consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double
dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace new
noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires return short
signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid
typename union unsigned using virtual void volatile wchar_t while xor xor_eq
threadIdx blockIdx blockDim gridDim warpSize run reduce finish update move losses next_log logged log_every blocks
linux unix NULL assert main memory warp row
"""


RESERVED = {
    *_WORDS.split(),
    *(template.partition("(")[0] for template, *_ in _FUNCTIONS.values()),
    *_HELPERS,
    *(word.format(name) for name in _TWO for word in ("block_{}", "{}_of")),
    *("of_block", "of_warp", "of_warps"),
}
"""What no variable may be called."""


def identifier(name: str) -> str:
    """A Python name as a C++ name, in ASCII as NVIDIA's compiler needs it: θ becomes `theta`.

    >>> identifier("θ_1"), identifier("ä"), identifier("double")
    ('theta_1', 'a', 'double_')
    """
    written = "".join(c if c.isascii() else _spelt(c) for c in name)
    return f"{written}_" if written in RESERVED or keyword.iskeyword(written) else written


def _spelt(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    if plain:
        return plain
    words = unicodedata.name(character, "").replace("LAMDA", "LAMBDA").partition("LETTER ")[2].split()
    return words[0].lower() if words else ""
