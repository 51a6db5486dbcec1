"""Pages for a browser, each one file that loads nothing else: put together from the templates in this folder."""

import json
import re
from html import escape
from importlib.resources import files
from typing import Any


def page(template: str, title: str, svg: str, run: str, data: Any) -> str:
    """A page as text.

    Args:
        template: the name of a file in this folder.
        title: of the page.
        svg: a picture to put in.
        run: the source of the program that the browser runs.
        data: what else the page's program needs.
    """
    # Text in a script must not end it.
    written = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    parts = {"title": escape(title), "svg": svg, "run": run, "data": written}
    parts |= {"css": _read("shared.css"), "shared": _read("shared.js")}
    return re.sub(r"@(\w+)@", lambda found: parts[found[1]], _read(template))


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
