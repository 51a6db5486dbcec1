"""The package stays small enough to be read: the policy is in CONTRIBUTING.md."""

from .size import LIMIT, code_lines, sizes

PYTHON = '''\
"""A module.

Its docstring.
"""

import math  # counted


# a comment
class A:
    """A class."""

    x = 1
    """An attribute."""

    def f(self):
        """A function."""
        text = """

        counted, the empty line above included
        """
        return (
            math.pi
        )
'''

SCRIPT = """\
/* A script
   of one line. */
// and a comment
<!-- and
     another -->

let url = "https://example.org" // counted
"""


def test_the_package_is_within_its_limit():
    assert 10_000 < sizes().total() <= LIMIT


def test_blank_lines_comments_and_docstrings_are_not_counted(tmp_path):
    (tmp_path / "a.py").write_text(PYTHON, encoding="utf-8")
    (tmp_path / "b.js").write_text(SCRIPT, encoding="utf-8")
    assert code_lines(tmp_path / "a.py") == 11
    assert code_lines(tmp_path / "b.js") == 1
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "c.html").write_text("<p>\n\n</p>\n", encoding="utf-8")
    assert sizes(tmp_path) == {"its own files": 12, "folder/": 2}
