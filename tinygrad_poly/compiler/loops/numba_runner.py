"""Programs run by Numba: printed source compiled to machine code, which is cached on disk."""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import pickle
import platform
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np

from tinygrad_poly.compiler.loops import cache as disk
from tinygrad_poly.compiler.loops import elementary

OLDEST = (0, 60)
"""The first Numba that knows NumPy 2."""

_OPTIONS = 'nogil=True, error_model="numpy"'
# In these functions alone may a sum be taken in another order, which is what makes it fast, and a product be added
# before it is rounded. LLVM writes them where they are called, and the permission stays with their own operations: all
# others are NumPy's to the last bit, so that nothing leaves a domain, takes another branch or hides a NaN.
# (Factors keep their order: in another, x * w * w in float32 would be 0 where w * w is too small, whatever x is.)
HEADER = f"""\
import numba
import numpy as np

njit = numba.njit({_OPTIONS})
njit_parallel = numba.njit(parallel=True, {_OPTIONS})
sums = numba.njit(fastmath={{"reassoc", "contract"}}, {_OPTIONS})


@numba.njit(fastmath={{"contract"}}, {_OPTIONS})
def product(a, b):
    return a * b


@sums
def add(total, term):
    return total + term


@sums
def add_product(total, a, b):
    return total + product(a, b)


"""

INSIDE = ("product", "add", "add_product")
"""The functions of the header: their machine code is part of what calls them, and is kept with it."""

_parsing = Lock()
"""Python 3.11 counts the depth of syntax trees for all threads together, which is an error where two parse at once."""

FAST = {f"np.{name}": f"fast_{name}" for name in elementary.UNITS}
"""What NumPy's functions are called where they are those of `elementary.py`."""


@cache
def available() -> bool:
    """Whether a usable Numba is installed; if not, warns once and says why."""
    try:
        import numba
    except ImportError as error:
        why = (
            "Numba is not installed or does not work here, so the compiled program runs on NumPy, several times "
            f"slower: pip install 'tinygrad_poly[compile]' ({error})"
        )
    else:
        version = re.match(r"(\d+)\.(\d+)", numba.__version__)
        # A build of one's own may have no number, "0+unknown": it is taken for a new one.
        if not version or (int(version[1]), int(version[2])) >= OLDEST:
            return True
        needed = ".".join(map(str, OLDEST))
        why = f"Numba {numba.__version__} is too old, {needed} is needed; the compiled program runs on NumPy"
    warnings.warn(why, stacklevel=2)
    return False


@cache
def compiled(source: str) -> Callable[..., tuple[Any, ...]]:
    """The function `run` of a source, compiled by Numba at its first call, or loaded from disk.

    Where the source has several functions, those that are marked are compiled, and `run` is Python if it is not.
    """
    run: Callable[..., tuple[Any, ...]]
    source = source if "@njit" in source else f"@njit\n{source}"
    with _parsing:
        run = _module(HEADER + ast.unparse(_Rewriter().visit(ast.parse(source))) + "\n").run
    return run


def _module(source: str) -> ModuleType:
    """The module made of this source. Numba finds it by name, also for machine code from another process."""
    fast = {alias: name.removeprefix("np.") for name, alias in FAST.items() if alias in source}
    behind = inspect.getsource(elementary) if fast else ""
    name = f"tinygrad_poly_{hashlib.sha256((source + behind).encode()).hexdigest()[:32]}"
    if name in sys.modules:
        return sys.modules[name]
    module, file = ModuleType(name), f"<{name}>"
    vars(module).update({alias: elementary.function(function) for alias, function in fast.items()})
    exec(compile(source, file, "exec"), module.__dict__)
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file  # shown where there is an error
    for called, function in vars(module).items():
        if hasattr(function, "py_func") and called not in INSIDE:
            function._cache = MachineCode(name, called)
    return sys.modules.setdefault(name, module)


class MachineCode:
    """A cache for the machine code of a function, in the place of Numba's `numba.core.caching._Cache`.

    Numba would look for files beside the source, and unpickle them whoever wrote them and whatever became of them.
    """

    cache_path = None

    def __init__(self, module: str, function: str) -> None:
        self._of = module, function

    def _name(self, signature: Any, codegen: Any) -> str:
        """A file name made of everything that machine code depends on: source, types, processor, versions."""
        import numba

        versions = numba.__version__, np.__version__, platform.python_implementation(), platform.python_version()
        told = repr((*self._of, signature, codegen.magic_tuple(), versions))
        return f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.nbc"

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The machine code for arguments of these types, None if there is none."""
        from numba.core.compiler import CompileResult

        target.refresh()
        found = disk.read(self._name(signature, target.codegen()))
        if found is None:
            return None
        try:
            rebuild: Callable[..., Any] = CompileResult._rebuild
            return rebuild(target, *pickle.loads(found))
        except Exception:  # another Numba under the same version, one that somebody builds
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Save machine code for other processes, unless it holds addresses in this one."""
        from numba.core import serialize

        dumps: Callable[[Any], bytes] = serialize.dumps
        if not result.library.has_dynamic_globals and all(lifted.can_cache for lifted in result.lifted):
            disk.write(self._name(signature, result.codegen), dumps(result._reduce()))

    def flush(self) -> None:
        """Do nothing: a file is written again whenever its code is compiled."""

    enable = disable = flush


class _Rewriter(ast.NodeTransformer):
    """A rewriter of source: `total += term` becomes `add`, `total += a * b` `add_product`, and `np.exp` `fast_exp`.

    The last only in loops over elements that are long enough. A product with a constant is a term like others: where it
    is added before it is rounded, LLVM takes two constant factors together, whatever the flags of the product.
    """

    in_loop = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self.generic_visit(node) if node.decorator_list else node  # the other is Python, and calls NumPy

    def visit_For(self, node: ast.For) -> ast.AST:
        around, length = self.in_loop, ast.unparse(node.iter)[len("range(") : -1]
        self.in_loop = ast.unparse(node.target) != "t" and not (
            length.isdecimal() and int(length) < elementary.SHORTEST
        )
        visited = self.generic_visit(node)
        self.in_loop = around
        return visited

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        name = FAST.get(ast.unparse(node)) if self.in_loop else None
        return ast.Name(name, ast.Load()) if name else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if not isinstance(node.op, ast.Add):
            return self.generic_visit(node)
        total, term = ast.unparse(node.target), node.value
        if isinstance(term, ast.BinOp) and isinstance(term.op, ast.Mult) and not _has_constant(term):
            call = f"add_product({total}, {ast.unparse(term.left)}, {ast.unparse(term.right)})"
        else:
            call = f"add({total}, {ast.unparse(term)})"
        return self.generic_visit(ast.parse(f"{total} = {call}").body[0])


def _has_constant(product: ast.BinOp) -> bool:
    """Whether one of the two factors is a number, such as `np.float32(2.0)`."""
    names = ({x.id for x in ast.walk(factor) if isinstance(x, ast.Name)} for factor in (product.left, product.right))
    return any(found <= {"np"} for found in names)


def arguments(arrays: Sequence[Any]) -> list[Any]:
    """Arrays as the source expects them: those with one element as numbers, the others contiguous."""
    return [a.reshape(-1)[0] if a.size == 1 else np.ascontiguousarray(a) for a in map(np.asarray, arrays)]
