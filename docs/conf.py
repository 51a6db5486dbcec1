"""How Sphinx builds the book: Markdown by MyST, the theme furo, and the directives of `book.py` beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "tinygrad_poly"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "book"]
html_theme = "furo"
html_title = "tinygrad_poly"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = False
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["ref.python"]

# Docstrings: single backticks are code, and names that are no page of their own are not links.
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
