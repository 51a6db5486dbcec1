"""Names that do not exist: errors that say which ones are near, why torch's are left out, and where the list is."""

import difflib
import re
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any, NoReturn

LIST = "docs/names.md"
OUTSIDE = {
    r"^(Packed)?(RNN|LSTM|GRU)|(^|_)(rnn|lstm|gru)": "recurrent modules are left out: write the loop over time",
    r"Transformer|attention|Attention": "attention is left out: write it with matmul and softmax",
    r"fft|^i?stft$|_window$": "Fourier transforms are left out, because complex numbers are",
    r"complex|^c(float|double|half)$|^polar$|^(is_)?conj|_conj$": "complex numbers are left out: take two tensors",
    r"[sS]parse|coalesce|(^|_)(coo|csr|csc|bsr|bsc)(_|$)|mkldnn": "sparse tensors are left out: all elements are kept",
    r"quanti[sz]|quantization|fake_quant|dequant|qint|^q_|int_repr|qscheme": "quantized tensors are left out",
    r"distributed|multiprocessing|[dD]ata_?[pP]arallel|share_memory|^rpc$|is_shared": "several processes are left out",
}
"""What is deliberately not there, by patterns of torch's names, and why."""

METHODS = """
H adjoint angle apply_ argwhere as_strided as_strided_ as_strided_scatter as_subclass bernoulli bfloat16 cauchy_
ccol_indices cdouble cfloat chalf coalesce col_indices conj conj_physical conj_physical_ const_data_ptr crow_indices
data_ptr dense_dim dequantize diagflat diagonal_scatter digamma digamma_ dim_order eig erfinv erfinv_ float_power
float_power_ frexp gcd gcd_ geometric_ geqrf ger get_device grad_dtype hardshrink hash_tensor histogram i0 i0_ igamma
igamma_ igammac igammac_ imag index index_reduce index_reduce_ indices int_repr ipu is_coalesced is_complex is_conj
is_cpu is_distributed is_inference is_ipu is_maia is_meta is_mkldnn is_mps is_mtia is_neg is_nested is_pinned
is_quantized is_same_size is_set_to is_shared is_signed is_sparse is_sparse_csr is_vulkan is_xla is_xpu isneginf
isposinf isreal istft itemsize kthvalue layout lcm lcm_ ldexp ldexp_ lgamma lgamma_ log_normal_ lstsq lu lu_solve mH
map2_ map_ module_load msort mtia multinomial mvlgamma mvlgamma_ name nanmedian narrow_copy new new_empty_strided
nextafter nextafter_ nonzero_static orgqr ormqr pin_memory polygamma polygamma_ prelu put put_ q_per_channel_axis
q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme real record_stream reinforce renorm
renorm_ resize resize_ resize_as resize_as_ resize_as_sparse_ resolve_conj resolve_neg row_indices select_scatter set_
share_memory_ signbit slice_inverse slice_scatter smm solve sparse_dim sparse_mask sparse_resize_
sparse_resize_and_clear_ split_with_sizes sspaddmm stft storage storage_offset storage_type sum_to_size symeig
to_dense to_mkldnn to_padded_tensor to_sparse to_sparse_bsc to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr
triangular_solve unfold unsafe_chunk unsafe_split unsafe_split_with_sizes untyped_storage values volatile xpu
"""
"""Methods of torch's tensors that are not there."""


def reason(name: str) -> str:
    """The reason why a name of torch is deliberately not there; empty for others."""
    return next((why for pattern, why in OUTSIDE.items() if re.search(pattern, name)), "")


def _near(name: str, names: Iterable[str], prefix: str) -> list[str]:
    public = {known.lower(): known for known in sorted(names, reverse=True) if not known.startswith("_")}
    return [prefix + public[known] for known in difflib.get_close_matches(name.lower(), public, 3, 0.7)]


def explained(owner: str, name: str, names: Iterable[str], text: str) -> str:
    """The text of an error, with what is known of a missing name.

    Args:
        owner: the name that the user has for what has not the name, such as "nn".
        name: the missing name.
        names: the names that are there.
        text: what the error says by itself.
    """
    if name.startswith("_"):
        return text
    near = _near(name, names, f"{owner}." if owner else "")
    for other in ("", "nn", "nn.functional", "linalg", "optim"):
        if len(near) < 3 and other != owner:
            there = dir(import_module(f"tinygrad_poly.{other}" if other else "tinygrad_poly"))
            near += _near(name, there, f"{other}." if other else "tinygrad_poly.")[:1]
    hints = [why for why in [reason(name), near and f"near to it: {', '.join(near)}"] if why]
    return f"{'; '.join([text, *hints])}. What there is of torch's names, and what is different: {LIST}"


def refuse(module: str, name: str, names: Iterable[str], importer: Any) -> NoReturn:
    """Raise the error for a name that a module has not: for `from module import name` an ImportError.

    `importer` is the frame in which the name was looked for.
    """
    text = explained(module.partition(".")[2], name, names, f"module {module!r} has no attribute {name!r}")
    from opcode import opmap

    if importer.f_lasti >= 0 and importer.f_code.co_code[importer.f_lasti] == opmap["IMPORT_FROM"]:
        raise ImportError(text.replace("has no attribute", "has no name"), name=module)
    raise AttributeError(text)


def explain(module: str, elsewhere: dict[str, str] | None = None) -> None:
    """Let a module explain the names that it has not; a checker of types sees nothing of it.

    Args:
        module: its name.
        elsewhere: names of it that are found in modules above it, when one asks for them.
    """
    there = import_module(module)

    def __getattr__(name: str) -> Any:  # noqa: N807 - the name by which Python knows it
        if name in (elsewhere or {}):
            return getattr(import_module(elsewhere[name]), name)  # type: ignore[index]
        refuse(module, name, vars(there), sys._getframe(1))

    vars(there)["__getattr__"] = __getattr__


class _Method:
    """A method that tensors have not: looking at it raises the error that says so.

    A `__getattr__` of tensors would serve for every name, but Python 3.11 reads all attributes of such a class more
    slowly, 5 % of a step on a few numbers. Of other names than torch's Python itself says which are near.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type[Any]) -> NoReturn:
        text = f"{owner.__name__!r} object has no attribute {self.name!r}"
        names = [name for name, value in vars(owner).items() if not isinstance(value, _Method)]
        raise AttributeError(explained("Tensor", self.name, names, text))


def explain_methods(kind: type[Any]) -> None:
    """Let a class of tensors explain the methods of torch's that it has not."""
    for name in METHODS.split():
        if not hasattr(kind, name):
            setattr(kind, name, _Method(name))
