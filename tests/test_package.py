"""The package as a whole: what importing it costs, and what it shows."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_poly as tg

PACKAGE = Path(tg.__file__).parent
# Every module but those that run when they are imported.
ENGINE = [
    found.name.removeprefix("tinygrad_poly.")
    for found in pkgutil.walk_packages(tg.__path__, "tinygrad_poly.")
    if not found.name.endswith("__main__")
]


def modules_after(code):
    """Names of the modules that a fresh interpreter has imported after `code`."""
    script = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def imported():
    return modules_after("import tinygrad_poly")


def test_importing_brings_in_nothing_but_numpy_and_the_engine(imported):
    top = {name.partition(".")[0] for name in imported - modules_after("import numpy")}
    assert top - set(sys.stdlib_module_names) == {"tinygrad_poly"}


@pytest.mark.parametrize(
    "name",
    ["torch", "jax", "cupy", "numba", "matplotlib", "rich", "PIL", "dask", "hypothesis", "pytest",
     "numpy.random", "numpy.fft", "numpy.polynomial", "asyncio", "unittest"],
)  # fmt: skip
def test_heavy_modules_are_not_imported(imported, name):
    assert name not in imported - modules_after("import numpy")


def test_computing_and_training_bring_in_nothing_more(imported):
    code = """
import tinygrad_poly as tg
w = tg.tensor([1.0], requires_grad=True)
optimizer = tg.optim.SGD([w], lr=0.1)
((w @ w).sin() + (w ** 2.5).mean()).backward()
optimizer.step()
tg.grad((w * w).sum(), w, create_graph=True)
repr(w)
"""
    assert "numpy.random" not in modules_after(code)


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").exists()


def test_the_version_is_a_version():
    assert [part.isdigit() for part in tg.__version__.split(".")] == [True] * 3


def public(module):
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


@pytest.mark.parametrize("name", ENGINE)
def test_every_public_name_says_what_it_is_for(name):
    module = importlib.import_module(f"tinygrad_poly.{name}")
    assert module.__doc__
    silent = []
    for label, value in public(module).items():
        if getattr(value, "__module__", None) != module.__name__ or not (
            inspect.isclass(value) or inspect.isfunction(value)
        ):
            continue
        if not inspect.getdoc(value):
            silent.append(label)
        if inspect.isclass(value):
            silent += [
                f"{label}.{method}"
                for method, function in public(value).items()
                if (inspect.isfunction(function) or isinstance(function, property))
                and getattr(function, "__module__", module.__name__) == module.__name__
                and not inspect.getdoc(function)
            ]
    assert silent == []


QUESTIONS = {"What", "How", "Where", "When", "Why", "Who", "Whose", "Which"}


def first_paragraphs(folder):
    """The place and the first paragraph of every docstring below a folder."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                line = node.body[0].lineno
                yield f"{path.relative_to(PACKAGE.parent)}:{line}", text.partition("\n\n")[0]


@pytest.mark.parametrize("folder", ["tinygrad_poly", "benchmarks"])
def test_a_docstring_begins_with_a_noun_and_its_job_in_one_line_and_not_with_a_question(folder):
    found = dict(first_paragraphs(PACKAGE.parent / folder))
    assert found
    assert [
        f"{place}: {text}"
        for place, text in found.items()
        if "\n" in text or "?" in text or text.split()[0].strip(":,") in QUESTIONS
    ] == []


def test_every_error_is_also_the_builtin_that_users_would_catch():
    from tinygrad_poly.engine import errors

    parts = {errors.Plain}
    classes = [
        value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__
    ]
    assert {"ShapeError", "DtypeError", "GraphError", "DeviceError"} <= {c.__name__ for c in classes}
    assert all(c in parts or issubclass(c, (ValueError, TypeError, RuntimeError, ArithmeticError)) for c in classes)


def test_a_fresh_interpreter_runs_the_first_example():
    code = "import tinygrad_poly as tg; x = tg.tensor(3.0, requires_grad=True); (x * x).backward(); print(x.grad)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "tensor(6.)\n"


def test_every_family_of_functions_is_public_and_seen_by_type_checkers():
    from tinygrad_poly import functions

    source = Path(functions.__file__).read_text(encoding="utf-8")
    stars = re.findall(r"from tinygrad_poly\.functions\.(\w+) import \*", source)
    files = {path.stem for path in Path(functions.__file__).parent.glob("[a-z]*.py")}
    assert set(stars) == set(functions.FAMILIES) == files - {"linalg"}
    assert {"softmax", "arccos", "sum", "cholesky"} <= set(functions.__all__) <= vars(tg).keys()
    assert not {"getitem", "np", "Any", "checked", "described"} & set(functions.__all__)
