"""The store: measured rows in a file from the moment of measurement, and the results made of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report.measured import FORMAT
from benchmarks.running.machine import machine, versions
from tinygrad_poly import _files as files
from tinygrad_poly.engine.errors import DataError

Row = dict[str, Any]


class Store:
    """The rows that this version measured on this machine, by key.

    Args:
        folder: where `rows.jsonl` lies: the fingerprint in its first line, then a line for each row.
        fingerprint: what the rows depend on; rows of another one are not used.

    Attributes:
        rows: the rows by key.
        changed: in what the rows that lay there differed, such as "numpy 2.4.5 → 2.4.6"; empty if in nothing.
    """

    def __init__(self, folder: Path, fingerprint: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "rows.jsonl"
        self.rows: dict[str, Row] = {}
        before, *entries = lines(self.path) or [fingerprint]
        self.changed = list(_differences(before, fingerprint)) if isinstance(before, dict) else ["the file is damaged"]
        if not self.changed:
            self.rows = {entry[0]: entry[1] for entry in entries if isinstance(entry, list) and len(entry) == 2}
        # What a killed run left half written goes as well.
        self._write(json.dumps(line) for line in (fingerprint, *self.rows.items()))

    def add(self, key: str, row: Row) -> None:
        """Store a row."""
        self.rows[key] = row
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps((key, row)) + "\n")

    def forget(self, keys: Iterable[str]) -> None:
        """Remove these rows, so that they are measured again."""
        for key in keys:
            self.rows.pop(key, None)
        first = self.path.read_text(encoding="utf-8").splitlines()[0]
        self._write([first, *(json.dumps(entry) for entry in self.rows.items())])

    def _write(self, all_lines: Iterable[str]) -> None:
        files.write(self.path, "".join(line + "\n" for line in all_lines).encode())


def lines(path: Path) -> list[Any]:
    """The complete JSON lines at the start of a file; none if there is no file."""
    found: list[Any] = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return found
    for line in text.splitlines(keepends=True):
        try:
            if not line.endswith("\n"):
                break
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def _differences(before: dict[str, Any], now: dict[str, Any]) -> Iterable[str]:
    for name in before | now:
        if before.get(name) != now.get(name):
            yield name if name == "sources" else f"{name} {before.get(name)} → {now.get(name)}"


def results(tables: dict[str, list[Row]]) -> dict[str, Any]:
    """The content of a results file: tables, and the conditions of measurement, rounded to four digits."""
    about = {"format": FORMAT, "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine()}
    return {**about, "versions": versions(), **{name: [rounded(row) for row in rows] for name, rows in tables.items()}}


NAMES = ("case", "threads", "implementation", "name", "group")
"""What makes a row of a results file that row, with the name of an operation."""


def added(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The content of a results file with new rows in place of its own of these names, or after them.

    A row that was measured on another day says so in "date".

    Raises:
        DataError: where the file is of another machine or other versions, whose rows do not belong beside these.
    """
    for what in ("machine", "versions"):
        same = {**before[what], "memory": 0} == {**now[what], "memory": 0}  # a virtual machine's varies a little
        if not same:
            raise DataError(f"the results have other {what} than this run: measure everything again, without --add")
    found = dict(before)
    for table, rows in now.items():
        if isinstance(rows, list):
            dated = rows if now["date"] == before["date"] else [{**row, "date": now["date"]} for row in rows]
            found[table] = list({_name(row): row for row in (*before.get(table, []), *dated)}.values())
    return found


def _name(row: Row) -> tuple[Any, ...]:
    return (*(row.get(name) for name in NAMES), row.get("extra_info", {}).get("row"))


def save(path: Path, data: dict[str, Any]) -> None:
    """Write a results file: a line for each row, so that two of them can be compared line by line."""
    parts = []
    for name, value in data.items():
        if isinstance(value, list):
            rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in value)
            parts.append(f" {json.dumps(name)}: [\n{rows}\n ]" if rows else f" {json.dumps(name)}: []")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, ("{\n" + ",\n".join(parts) + "\n}\n").encode())


def rounded(value: Any) -> Any:
    """The same value with four significant digits in every float.

    >>> rounded({"seconds": [0.000123456, 2.0], "points": 123456})
    {'seconds': [0.0001235, 2.0], 'points': 123456}
    """
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value
