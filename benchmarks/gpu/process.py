"""The process of a part: `python -m benchmarks.gpu.process MODULE:FUNCTION FOLDER OUT SECONDS`."""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.scale import Scale


def main(arguments: Sequence[str] | None = None) -> None:
    """Append a row to `FOLDER/rows.jsonl` for each key in `FOLDER/asked.json`, as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--stand-ins", action="store_true")
    given = parser.parse_args(arguments)
    if given.stand_ins:
        from tests.gpu import stand_ins

        stand_ins.install()
    module, _, function = given.measure.partition(":")
    measure = getattr(importlib.import_module(module), function)
    scale = Scale(given.out, given.quick, given.stand_ins, until=time.monotonic() + given.seconds)
    asked = json.loads((given.folder / "asked.json").read_text(encoding="utf-8"))
    with (given.folder / "rows.jsonl").open("a", encoding="utf-8") as file:
        for key, row in measure(asked, scale, (given.folder / "at").write_text):
            file.write(json.dumps((key, row)) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
