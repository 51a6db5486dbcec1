"""The source distribution: what README and CONTRIBUTING say can be done in it."""

import re
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def included():
    sdist = pytest.importorskip("hatchling.builders.sdist")
    return {Path(file.relative_path).as_posix() for file in sdist.SdistBuilder(str(ROOT)).recurse_included_files()}


@pytest.mark.parametrize("name", ["Makefile", "conftest.py", "constraints.txt", "pyproject.toml", "tests/conftest.py"])
def test_it_holds_what_the_commands_in_the_readme_need(included, name):
    assert name in included


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_it_holds_what_a_page_links_to(included, page):
    links = {link for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text("utf-8")) if "://" not in link}
    folders = {str(folder) for name in included for folder in PurePosixPath(name).parents}
    assert links
    assert {link.rstrip("/") for link in links} <= included | folders


def test_it_holds_the_sources_only(included):
    assert {name.partition("/")[0] for name in included} <= {
        *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "conftest.py", "constraints.txt"),
        *("pyproject.toml", ".gitignore", "benchmarks", "docs", "tests", "tinygrad_poly"),
    }
