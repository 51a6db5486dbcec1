"""The book's own directives: what the build makes of code beside a page, public names, and the command line.

- `{made} FILE` runs a file of docs/made and shows its `page`, `picture` or `text`, with its code.
- `{public} MODULE` documents the public names of a module by their docstrings.
- `{commands}` prints the help of `tinygrad-poly` and of each of its commands.
"""

import argparse
import importlib
import inspect
import os
import runpy
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


class Made(SphinxDirective):
    """What a file makes: a page to be moved in a frame, a picture, or text; its content is the caption."""

    required_arguments = 1
    has_content = True
    option_spec = {"height": directives.nonnegative_int, "code": directives.unchanged}  # noqa: RUF012

    def run(self):
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        made = runpy.run_path(path)
        name = Path(path).stem
        about = self.parse_content_to_nodes()
        caption = " ".join(node.astext() for node in about) or inspect.cleandoc(made["__doc__"]).splitlines()[0]
        if "page" in made:
            live = Path(self.env.app.outdir, "live", f"{name}.html")
            live.parent.mkdir(exist_ok=True)
            live.write_text(made["page"], encoding="utf-8")
            address = f"{'../' * self.env.docname.count('/')}live/{name}.html"
            height = self.options.get("height", 760)
            shown = f'<iframe src="{address}" title="{escape(caption)}" height="{height}" loading="lazy"></iframe>'
            below = f'<a href="{address}">⤢ {escape(caption)}</a>'
        else:
            shown = made.get("picture") or f"<pre>{escape(made['text'])}</pre>"
            below = escape(caption)
        code = nodes.literal_block(*[Path(path).read_text(encoding="utf-8")] * 2, language="python")
        summary = escape(self.options.get("code", "The code that makes this"))
        opened = f"<figure class='made'>{shown}<figcaption>{below}</figcaption><details><summary>{summary}</summary>"
        parts = opened, "</details></figure>"
        first, last = (nodes.raw("", text, format="html") for text in parts)
        return [first, code, last]


class Public(SphinxDirective):
    """The public names of a module by their docstrings: those of this package, without what the module only uses."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        module = importlib.import_module(name)
        documented = self.env.__dict__.setdefault("documented", set())
        lines = ["````{eval-rst}", f".. module:: {name}", ""]
        for public in sorted(vars(module), key=str.lower):
            value = getattr(module, public)
            home = getattr(value, "__module__", None) or ""
            used = inspect.isclass(value) and home.startswith(("tinygrad_poly.engine", "tinygrad_poly.tensor"))
            if public.startswith("_") or not callable(value) or not home.startswith("tinygrad_poly"):
                continue
            if used and name != "tinygrad_poly":
                continue
            kind = "autoclass" if inspect.isclass(value) else "autofunction"
            options = {"   :members:": kind == "autoclass", "   :no-index:": f"{home}.{public}" in documented}
            lines += [f".. {kind}:: {name}.{public}", *(option for option, given in options.items() if given), ""]
            documented.add(f"{home}.{public}")
        return self.parse_text_to_nodes("\n".join([*lines, "````"]))


class Commands(SphinxDirective):
    """The help of the command and of each of its commands, as argparse prints it."""

    def run(self):
        os.environ["COLUMNS"] = "100"
        from tinygrad_poly.cli import _parser

        parser = _parser()
        (chosen,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        found = {"tinygrad-poly": parser, **{f"tinygrad-poly {name}": sub for name, sub in chosen.choices.items()}}
        shown = []
        for title, command in found.items():
            section = nodes.section(ids=[nodes.make_id(title)])
            section += nodes.title(text=title)
            help_text = command.format_help() if command.add_help else f"usage: {title} --help says it in a checkout"
            section += nodes.literal_block(help_text, help_text, language="text")
            shown.append(section)
        return shown


def escape_bars(app, what, name, obj, options, lines):
    """Leave |x| in a docstring what it is: an absolute value, and not a substitution."""
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else line.replace("|", r"\|") for line in lines]


def setup(app):
    """Give Sphinx the directives."""
    app.add_directive("made", Made)
    app.add_directive("public", Public)
    app.add_directive("commands", Commands)
    app.connect("autodoc-process-docstring", escape_bars)
    return {"parallel_read_safe": True}
