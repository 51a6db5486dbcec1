"""The house: every import against one list of layers, no circles, and how much code an afternoon holds."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from .size import python_lines

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tinygrad_poly"

LAYERS = """
__main__
cli
fitting, tutorials, checking, explain
compiler
tinygrad_poly
interop.jax, saving
func, nn, optim, linalg, cuda, testing
utils
random
autograd, creation, errors, _files
tensor
methods
functions
writing, hooks
derivatives, interop
engine, _printing, _start, _missing, _public
"""
"""A module imports from its own room and from rooms in layers below, TYPE_CHECKING aside. `tinygrad_poly` is the
package itself, the public names; those of rooms above it are found by name, when one asks for them."""


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}
LAYER_OF = {
    room.strip(): number
    for number, line in enumerate(reversed(LAYERS.strip().splitlines()))
    for room in line.split(",")
}  # fmt: skip


def room_of(module):
    """The entry of the list that a module belongs to."""
    name = module.removeprefix("tinygrad_poly.")
    while name not in LAYER_OF:
        assert name, f"{module} is in no layer of the list"
        name = name.rpartition(".")[0]
    return name


def imports(source):
    """What a module imports when it runs, also inside its functions: the modules of the package, and other roots."""
    found = set()
    stack = [ast.parse(source)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the whole module"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in full}
        stack += ast.iter_child_nodes(node)
    return found


@cache
def arrows():
    """For each module those of the package that it imports."""
    found = {name: imports(path.read_text()) for name, path in MODULES.items()}
    return {name: sorted(m for m in given if m.split(".")[0] == "tinygrad_poly") for name, given in found.items()}


def size(*paths):
    return sum(python_lines(path.read_text()) for path in paths)


def test_code_is_counted_without_blank_lines_comments_and_docstrings():
    source = (
        '"""Words."""\n\n# why\nx = """a\nb"""  # and why\n\n\ndef f():\n    """Words.\n\n    More."""\n    return 1\n'
    )
    assert python_lines(source) == 4


def test_imports_are_found_wherever_they_run():
    source = (
        "from typing import TYPE_CHECKING\nimport tinygrad_poly.nn\nif TYPE_CHECKING:\n    import tinygrad_poly.func\n"
        "else:\n    import json\ndef f():\n    from tinygrad_poly.engine import walk, errors\n"
        "    from tinygrad_poly.tensor import Tensor\n"
    )
    names = {"tinygrad_poly.nn", "tinygrad_poly.engine.walk", "tinygrad_poly.engine.errors", "tinygrad_poly.tensor"}
    assert imports(source) == names | {"json", "typing"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_points_up(module):
    room = room_of(module)
    for imported in arrows()[module]:
        other = room_of(imported)
        assert other == room or LAYER_OF[other] < LAYER_OF[room], f"{module} imports {imported}, which is not below it"


def test_no_modules_import_each_other_in_a_circle():
    # A module whose imports all lead to modules without circles is without one, and so on.
    left = {name: set(found) for name, found in arrows().items()}
    while free := {name for name, found in left.items() if not found & left.keys()}:
        left = {name: found for name, found in left.items() if name not in free}
    assert not left, f"in a circle, or above one: {sorted(left)}"


def test_the_engine_imports_nothing_of_the_package_outside_itself():
    for module, found in arrows().items():
        if room_of(module) == "engine":
            assert all(room_of(imported) == "engine" for imported in found), module


def test_array_libraries_are_imported_by_those_who_answer_for_them():
    for module, path in MODULES.items():
        roots = {name.partition(".")[0] for name in imports(path.read_text())}
        if not module.startswith(("tinygrad_poly.interop", "tinygrad_poly.compiler.cuda")):
            assert not roots & {"cupy", "cupyx", "jax", "array_api_strict"}, module


def test_no_module_is_looked_up_by_its_name_among_all():
    # Numba looks for the modules of machine code by name, and numba_runner.py writes these itself.
    for module, path in MODULES.items():
        if module != "tinygrad_poly.compiler.loops.numba_runner":
            assert "sys.modules" not in path.read_text(), module


def test_the_engine_is_small():
    engine = sorted((PACKAGE / "engine").glob("*.py"))
    assert len(engine) <= 8
    assert size(*engine) <= 1000


GUIDE = (ROOT / "docs" / "engine.md").read_text()


def test_the_afternoon_is_the_engine_the_tensor_and_a_file_of_the_table():
    listed = dict(re.findall(r"^\| `([a-z_/]+\.py)` \| (\d+) \|", GUIDE, re.MULTILINE))
    written = {path: size(PACKAGE / path) for path in listed if (PACKAGE / path).exists()}
    engine = {f"engine/{path.name}" for path in (PACKAGE / "engine").glob("[a-z]*.py")}
    table = {path for path in listed if path.startswith("derivatives/")}
    assert listed.keys() == engine | table | {"tensor.py", "writing.py"}
    assert len(table) == 1
    for path, lines in written.items():
        assert abs(lines - int(listed[path])) <= max(20, lines // 5), f"{path} has {lines} lines of code: say so"
    assert sum(written.values()) < 1800


def test_the_guide_to_the_engine_prints_this_list():
    (printed,) = re.findall(r"```text\n(__main__.*?)```", GUIDE, re.DOTALL)
    assert printed.strip() == LAYERS.strip()


PUBLIC = (
    *("autograd", "cuda", "errors", "func", "linalg", "nn", "nn.functional", "nn.init", "nn.utils"),
    *("optim", "optim.lr_scheduler", "utils", "utils.data", "fitting", "compiler", "checking", "tutorials"),
    *("explain", "testing"),
)


def test_public_modules_are_there_and_named_in_the_guide():
    (said,) = re.findall(r"### Public modules\n\n(.*?)\n\n", GUIDE, re.DOTALL)
    for name in PUBLIC:
        assert f"tinygrad_poly.{name}" in MODULES
        assert f"`{name}`" in said


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda path: path.name
)
def test_pages_import_public_modules_unless_they_show_what_is_inside(page):
    if page.name in ("engine.md", "compiler.md", "cuda.md", "moments.md"):
        return
    for module in re.findall(r"^>>> (?:from|import) tinygrad_poly\.([\w.]+)", page.read_text(), re.MULTILINE):
        assert module in PUBLIC or module.startswith(("checking.", "tutorials.")), module
