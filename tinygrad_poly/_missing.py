"""Names that do not exist: errors that say which ones are near, why torch's are left out, and where the list is."""

from __future__ import annotations

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


def explain(module: str) -> None:
    """Let a module explain the names that it has not; a checker of types sees nothing of it."""
    there = import_module(module)

    def __getattr__(name: str) -> NoReturn:  # noqa: N807 - the name by which Python knows it
        refuse(module, name, vars(there), sys._getframe(1))

    vars(there)["__getattr__"] = __getattr__
