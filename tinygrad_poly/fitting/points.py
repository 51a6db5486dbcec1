"""Points from a CSV file with two columns, x and y, with or without a header."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly.engine.errors import DataError

DELIMITERS = ";\t,"
PADDING = " \t\xa0"

LARGEST = 256 * 2**20
"""Bytes, some ten million points. What is longer may have no end, like a pipe or /dev/zero."""

Vector = np.ndarray[Any, np.dtype[np.float64]]

# float() would take 1_000, numbers in other scripts' digits, and words as well.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)

# A header is two of these. What may be a number or stand for one, such as "1,5", "O.5" or "NA", is none: in the first
# line it is refused as in every other, because a point must not vanish.
NAME = re.compile(r"(?!.*[.,]\d).+", re.DOTALL)
MISSING = re.compile(
    r"n/?a|n\.a\.|nan|nat|nil|none|null|missing|undefined|unknown|err(or)?|inf(inity)?|true|false", re.IGNORECASE
)


def read(path: str | Path) -> tuple[Vector, Vector]:
    """The x and y of a CSV file (UTF-8; comma, semicolon or tab between them), in float64.

    The first line is a header if both its cells are names, which begin with a letter.

    Raises:
        DataError: with file, line and column, for whatever is not two finite numbers a line.
    """
    content = _text(path)
    # Quotes may hold a delimiter, also in a header.
    first_line = re.split(r"[\r\n]", re.sub(r'"[^"]*"', '""', content[:100_000]).strip(), maxsplit=1)[0]
    delimiter = next((mark for mark in DELIMITERS if mark in first_line), ",")
    x, y = array("d"), array("d")
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    header_may_come = True
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            place = f"{path}, line {reader.line_num}"
            if len(row) != 2:
                raise DataError(f"{place}: {_wrong_columns(row, delimiter)}")
            if not (header_may_come and all(map(_is_name, row))):
                for column, (numbers, cell) in enumerate(zip((x, y), row), start=1):
                    numbers.append(_number(cell.strip(PADDING), f"{place}, column {column}", header_may_come))
            header_may_come = False
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    if not x:
        raise DataError(f"{path} holds no points: expected two columns of numbers, x and y")
    return np.array(x), np.array(y)


def _text(path: str | Path) -> str:
    """The content of a text file."""
    content = bytearray()
    try:
        with open(path, "rb") as file:
            while part := file.read(2**20):
                content += part
                if b"\0" in part:
                    zero = content.index(b"\0")
                    raise DataError(f"{path} is not a text file in UTF-8 (its byte {zero} is zero)")
                if len(content) > LARGEST:
                    raise DataError(
                        f"{path} has more than {LARGEST // 2**20} MiB, or no end: a file for this command may have "
                        "no more; `fit` takes larger data as arrays"
                    )
    except OSError as error:
        raise DataError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8 ({error.reason} at byte {error.start})") from None


def _wrong_columns(row: list[str], delimiter: str) -> str:
    found = f"{len(row)} column{'s' if len(row) != 1 else ''}"
    message = f"expected two columns, x and y, but found {found}"
    if row[0].lstrip().startswith("#"):
        return f"{message}: delete comments, the lines that begin with #"
    if len(row) == 1 and len(row[0].split()) == 2 and delimiter == ",":
        return f"{message}: put a comma, and not spaces, between the two"
    return message if delimiter == "," else f"{message}; in the first line they are divided by {delimiter!r}"


def _is_name(cell: str) -> bool:
    name = cell.strip(PADDING)
    return name[:1].isalpha() and bool(NAME.fullmatch(name)) and not MISSING.fullmatch(name)


def _number(cell: str, place: str, first: bool) -> float:
    if NUMBER.fullmatch(cell) and math.isfinite(number := float(cell)):
        return number
    if NUMBER.fullmatch(cell) or NOT_FINITE.fullmatch(cell):
        raise DataError(f"{place}: expected a finite number, but found {cell!r}")
    hint = ""
    if re.fullmatch(r"[+-]?\d+,\d+", cell):
        hint = f": write {cell.replace(',', '.')} with a point"
    elif re.fullmatch(r"[+-]?\d+(_\d+)+", cell):
        hint = f": write {cell.replace('_', '')}"
    elif first and not _is_name(cell):
        hint = ", nor a column's name, which begins with a letter"
    raise DataError(f"{place}: expected a number, but found {cell!r}{hint}")
