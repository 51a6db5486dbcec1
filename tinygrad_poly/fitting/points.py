"""Points from a CSV file: two columns, x and y, with or without a header."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_poly.engine.errors import DataError

DELIMITERS = ";\t,"

Vector = np.ndarray[Any, np.dtype[np.float64]]


def read(path: str | Path) -> tuple[Vector, Vector]:
    """The x and y of a CSV file (UTF-8; comma, semicolon or tab between them), in float64.

    Raises:
        DataError: with file, line and column, for whatever is not two finite numbers a line.
    """
    try:
        content = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8 ({error.reason} at byte {error.start})") from None
    reader = csv.reader(io.StringIO(content), delimiter=_delimiter(content))
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    if rows and not any(_is_number(cell) for cell in rows[0][1]):
        del rows[0]
    if not rows:
        raise DataError(f"{path} holds no points: expected two columns of numbers, x and y")
    x, y = np.array([_point(row, f"{path}, line {line}") for line, row in rows]).T
    return x, y


def _delimiter(content: str) -> str:
    first_line = content.strip().partition("\n")[0]
    return next((mark for mark in DELIMITERS if mark in first_line), ",")


def _point(row: list[str], place: str) -> list[float]:
    if len(row) != 2:
        found = f"{len(row)} column{'s' if len(row) != 1 else ''}"
        raise DataError(f"{place}: expected two columns, x and y, but found {found}")
    return [_number(cell, f"{place}, column {column}") for column, cell in enumerate(row, start=1)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, place: str) -> float:
    if not _is_number(cell):
        raise DataError(f"{place}: expected a number, but found {cell.strip()!r}")
    number = float(cell)
    if not math.isfinite(number):
        raise DataError(f"{place}: expected a finite number, but found {cell.strip()!r}")
    return number
