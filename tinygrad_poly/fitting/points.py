"""Points from a text file with columns of numbers, as instruments, spreadsheets and programs write it.

The csv module takes lines apart. Which mark divides them, where the numbers begin, and whether a comma is a decimal one
is found out here, from all lines; what two readings would give two numbers is an error that names the option to say it.
"""

import codecs
import csv
import io
import math
import os
import re
import sys
from array import array
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from statistics import mode
from typing import Any

import numpy as np

from tinygrad_poly.engine.errors import DataError

DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas", " ": "spaces"}
PADDING = " \t\xa0"

MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""What a file in UTF-16 begins with."""

LARGEST = 256 * 2**20
"""Bytes, some ten million points. What is longer may have no end, like a pipe or /dev/zero."""

Vector = np.ndarray[Any, np.dtype[np.float64]]

# float() would take 1_000, numbers in other scripts' digits, and words as well.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
SIGNS = frozenset("0123456789+-.eE \n")
"""Of these float() makes numbers as they are meant, or none."""

NOT_FINITE = re.compile(r"[+-]?(inf|infinity)", re.ASCII | re.IGNORECASE)

COMMA = re.compile(r"[+-]?\d*,\d*(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
SEVERAL = re.compile(r"\s*[\d.+-][\d.e+-]*(\s+[\d.+-][\d.e+-]*)+\s*", re.ASCII | re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)

# Above the numbers there may be names and units. What may be a number or stand for one, such as "1,5", "O.5" or
# "inf", is none: above them it is refused as below, because a point must not vanish.
NAME = re.compile(r"(?!.*[.,]\d)[^\W\d_(\[%°µ].*|[(\[°%µ].*[^\W\d].*", re.DOTALL)
ABSENT = re.compile(r"|n/?a|#n/a|n\.a\.|nan|null|none|nil|missing", re.IGNORECASE)
NO_NAME = re.compile(r"nat|undefined|unknown|err(or)?|inf(inity)?|true|false", re.IGNORECASE)

Row = tuple[int, list[str]]
"""The number of a line, and its cells."""


def read(
    path: str | Path,
    x: str | None = None,
    y: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    say: Callable[[str], object] = lambda message: None,
) -> tuple[Vector, Vector]:
    """The x and y of a text file, in float64; rows in which one of them is missing are left out.

    Args:
        path: the file, or "-" for the standard input.
        x: the column of x, by its name or its number from 1; by default the first of two.
        y: the column of y.
        encoding: of the text, where it is neither UTF-8 nor marked as UTF-16.
        decimal: "." or ",", where that cannot be told from the numbers.
        say: is told, in a line, how the file was read wherever that had to be found out.

    Raises:
        DataError: with file, line and column, for whatever is not a finite number.
    """
    content, known = _text(path, encoding)
    path = "the standard input" if path == "-" else path
    lines = re.split(r"\r\n|\r|\n", content)
    said = re.fullmatch(r"sep=(.)", lines[0].strip())
    # A comment begins a line, or comes after a space; quotes may hold one.
    kept = [_before_comment(line) if "#" in line else line for line in lines[bool(said) :]]
    content = "\n" * bool(said) + "\n".join(kept)
    mark = said[1] if said else _mark(kept)
    rows = _rows(path, content, mark)
    heads, rows, columns = _columns(path, rows, x, y, mark)
    decimal, grouped = _decimal(path, rows, columns, mark, decimal, len(heads[-1][1]) if heads else 2)
    found: tuple[array[float], array[float]] = array("d"), array("d")
    dropped: list[int] = []
    texts = ["\n".join([cells[i] for _, cells in rows]) for i in columns]
    if decimal == "." and not grouped and all(set(text) <= SIGNS for text in texts):  # as in most files, and quicker so
        with suppress(ValueError):
            found = array("d", map(float, texts[0].split("\n"))), array("d", map(float, texts[1].split("\n")))
            rows = [row for row, *numbers in zip(rows, *found) if not all(map(math.isfinite, numbers))]
    for number, cells in rows:
        chosen = [cells[i].strip(PADDING).replace("−", "-") for i in columns]
        if any(ABSENT.fullmatch(cell) for cell in chosen) and all(_could_be(cell) for cell in chosen):
            dropped.append(number)
            continue
        for i, numbers, cell in zip(columns, found, chosen, strict=True):
            numbers.append(_number(cell, f"{path}, line {number}, column {i + 1}", decimal, grouped))
    if not found[0]:
        raise DataError(f"{path} holds no points: expected two columns of numbers, x and y")
    how = [
        f"columns {columns[0] + 1} and {columns[1] + 1}" * (x is not None or y is not None),
        f"divided by {DELIMITERS[mark]}" * (mark in DELIMITERS and mark != ","),
        "with decimal commas" * (decimal == ","),
        "with commas between thousands" * grouped,
        f"in {known}" * (known != "utf-8"),
    ]
    if any(how):
        say(f"Read {len(found[0])} points, {', '.join(filter(None, how))}.")
    if dropped:
        which = ", ".join(map(str, dropped[:5])) + ", …" * (len(dropped) > 5)
        say(f"Left out {len(dropped)} of {len(rows)} rows, in which x or y is missing: line {which}.")
    return np.array(found[0]), np.array(found[1])


def _before_comment(line: str) -> str:
    return "" if re.match(r"\s*#(?!n/a)", line, re.IGNORECASE) else re.sub(r'\s#(?!N/A)[^"]*$', "", line)


def _could_be(cell: str) -> bool:
    """Whether a cell is a number in some notation, or missing."""
    return bool(ABSENT.fullmatch(cell) or NUMBER.fullmatch(cell) or (COMMA.fullmatch(cell) and re.search(r"\d", cell)))


def _mark(lines: list[str]) -> str:
    """The mark that divides most of the last lines into two columns or more, two of them numbers."""
    last = [plain for line in lines[-200:] if (plain := re.sub(r'"([^"]*)"', _unquoted, line).strip())]

    def divided(mark: str) -> int:
        found = (line.split(mark if mark != " " else None) for line in last)
        return sum(sum(map(_is_number, cells)) >= 2 and not any(map(SEVERAL.fullmatch, cells)) for cells in found)

    best = max(DELIMITERS, key=divided)
    if divided(best):
        return best
    first = next(filter(None, (re.sub(r'"[^"]*"', '""', line).strip() for line in lines)), "")
    return next((mark for mark in ";\t," if mark in first), ",")


def _unquoted(cell: re.Match[str]) -> str:
    """A cell without its quotes and what in it looks like a mark, as what _mark looks at."""
    return "0" if _is_number(cell[1]) else re.sub(r"[;\t|, ]", "_", cell[1])


def _is_number(cell: str) -> bool:
    cell = cell.strip(PADDING).replace("−", "-")
    return bool(cell) and _could_be(cell)


def _rows(path: Any, content: str, mark: str) -> list[Row]:
    """The rows that are not empty."""
    if mark == " ":
        content = "\n".join(" ".join(line.split()) for line in content.split("\n"))
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=mark, strict=True, skipinitialspace=True)
    try:
        return [(reader.line_num, row) for row in reader if "".join(row).strip(PADDING)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None


def _columns(
    path: Any, rows: list[Row], x: str | None, y: str | None, mark: str
) -> tuple[list[Row], list[Row], tuple[int, int]]:
    """The rows above the numbers, those with numbers, and which columns are x and y."""
    first = next((i for i, (_, cells) in enumerate(rows) if not _is_head(cells)), len(rows))
    heads, rows = rows[:first], rows[first:]
    if not rows:
        raise DataError(f"{path} holds no points: expected two columns of numbers, x and y")
    width = mode(len(cells) for _, cells in rows)
    if width > 2 and all(len(cells) == width and not cells[-1].strip(PADDING) for _, cells in rows):
        width -= 1  # a mark at the end of each line
    named = ([cell.strip(PADDING) for cell in cells] for _, cells in heads)
    names = next((cells for cells in named if len(cells) == width or (len(cells) == width + 1 and not cells[-1])), [])
    if heads and not names and len(heads[-1][1]) > width and mark != " ":
        raise DataError(f"{path}, line {rows[0][0]}: {_wrong_columns(rows[0][1], len(heads[-1][1]), mark)}")
    if width == 2 and x is None and y is None:
        columns = 0, 1
    else:
        known = f"the columns are {', '.join(names) if names else f'1 to {width}'}"
        if width != 2 and (x is None or y is None) and width > 1:
            raise DataError(
                f"{path}, line {rows[0][0]}: expected two columns, x and y, but found {width}: say --x and --y; {known}"
            )
        found = []
        for option, given, default in (("--x", x, 0), ("--y", y, 1)):
            at = default if given is None else names.index(given) if given in names else None
            if at is None and given is not None and given.isdecimal() and 1 <= int(given) <= width:
                at = int(given) - 1
            if at is None or names.count(given or "") > 1:
                raise DataError(f"{path} has no column {given!r}, or several, for {option}: {known}")
            found.append(at)
        columns = found[0], found[1]
    for number, cells in rows:
        if width < 2 or (len(cells) != width and not (len(cells) == width + 1 and not cells[-1].strip(PADDING))):
            raise DataError(f"{path}, line {number}: {_wrong_columns(cells, max(width, 2), mark)}")
    return heads, rows, columns


def _is_head(cells: list[str]) -> bool:
    """Whether a row is a title, or names or units of columns: no cell of it may be a number."""
    cells = [cell.strip(PADDING) for cell in cells]
    named = [cell for cell in cells if cell]
    if len(named) == 1 and len(cells) != 2:
        return named[0][:1].isalpha() and not NO_NAME.fullmatch(named[0]) and not ABSENT.fullmatch(named[0])
    return all(map(_is_name, named))


def _is_name(cell: str) -> bool:
    # ½ counts among the characters of words.
    return bool(NAME.fullmatch(cell)) and not (cell[0].isnumeric() or ABSENT.fullmatch(cell) or NO_NAME.fullmatch(cell))


def _decimal(
    path: Any, rows: list[Row], columns: tuple[int, int], mark: str, given: str | None, heads: int
) -> tuple[str, bool]:
    """The decimal mark, and whether commas stand between thousands."""
    if given == ",":
        return ",", False
    found = ((number, i, cells[i].strip(PADDING).replace("−", "-")) for number, cells in rows for i in columns)
    commas = [each for each in found if "," in each[2]]
    alone = mark == "," and given is None and not commas and heads < 2
    if alone and all(re.fullmatch(r"[+-]?\d+", cells[i].strip(PADDING)) for _, cells in rows for i in columns):
        raise DataError(
            f"{path}: one name stands above lines such as {','.join(rows[0][1])}, which may be one number with a "
            "decimal comma, or two numbers: say --decimal . for two"
        )
    if not commas:
        return ".", False
    grouped = all(THOUSANDS.fullmatch(cell) for _, _, cell in commas)
    pointed = any("." in cells[i] for _, cells in rows for i in columns)
    if given is None and not pointed and not grouped:
        return ",", False
    number, column, cell = commas[0]
    if given == "." and grouped:
        return ".", True
    if given is None and grouped and not pointed:
        raise DataError(
            f"{path}, line {number}, column {column + 1}: {cell} may be {cell.replace(',', '.')} or "
            f"{cell.replace(',', '')}: say --decimal , or --decimal ."
        )
    return ".", False


def _text(path: str | Path, encoding: str | None) -> tuple[str, str]:
    """The content of a text file, and its encoding."""
    content = bytearray()
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb") as file:
            while part := file.read(2**20):
                content += part
                if b"\0" in part and not (encoding or content.startswith(MARKS)):
                    zero = content.index(b"\0")
                    raise DataError(
                        f"{path} is not a text file in UTF-8 (its byte {zero} is zero): say --encoding if it is another"
                    )
                if len(content) > LARGEST:
                    raise DataError(
                        f"{path} has more than {LARGEST // 2**20} MiB, or no end: a file for this command may have "
                        "no more; `fit` takes larger data as arrays"
                    )
    except OSError as error:
        raise DataError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from None
    name = encoding or ("utf-16" if content.startswith(MARKS) else "utf-8")
    try:
        return content.decode(name).removeprefix("\ufeff"), name
    except (UnicodeDecodeError, LookupError) as error:
        if encoding:
            raise DataError(f"{path} cannot be read in {encoding!r}: {error}") from None
        raise DataError(
            f"{path} is not a text file in UTF-8 ({error}): say --encoding, such as latin-1 or cp949"
        ) from None


def _wrong_columns(row: list[str], width: int, mark: str) -> str:
    found = f"{len(row)} column{'s' if len(row) != 1 else ''}"
    message = f"expected {'two columns, x and y,' if width == 2 else f'{width} columns'} but found {found}"
    return message if mark == "," else f"{message}; they are divided by {DELIMITERS.get(mark, repr(mark))}"


def _number(cell: str, place: str, decimal: str, grouped: bool) -> float:
    plain = cell.replace(",", "") if grouped else cell
    if decimal == ",":
        plain = cell.replace(",", ".") if "." not in cell else ""
    if NUMBER.fullmatch(plain) and math.isfinite(number := float(plain)):
        return number
    if NUMBER.fullmatch(plain) or NOT_FINITE.fullmatch(plain):
        raise DataError(f"{place}: expected a finite number, but found {cell!r}")
    hint = ""
    if decimal == "," and "." in cell:
        hint = ": other numbers have a decimal comma"
    elif re.fullmatch(r"[+-]?\d+,\d+", cell):
        hint = f": other numbers have a decimal point; write {cell.replace(',', '.')}, or say --decimal ,"
    elif re.fullmatch(r"[+-]?\d+(_\d+)+", cell):
        hint = f": write {cell.replace('_', '')}"
    raise DataError(f"{place}: expected a number, but found {cell!r}{hint}")
