"""The GPU command: all measurements on a GPU in six minutes: `python -m benchmarks.gpu --out FOLDER`.

Tests, measures and tunes, part by part, each in a process of its own with a limit of time; whatever a process comes to
costs its part alone. Leaves `cuda-NAME.json` in the folder, for benchmarks/results, and the reports beside it. Without
a GPU it runs on stand-ins, which shows that it works, and nothing else.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu import device, summary
from benchmarks.gpu.parts import PARTS, run
from benchmarks.gpu.scale import Scale
from benchmarks.running.machine import fingerprint
from benchmarks.running.runner import LATE
from benchmarks.running.store import Row, Store, save
from benchmarks.running.terminal import summary as in_words

DONE, WRONG, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the arguments choose; returns the exit status.

    Status 0 is success, 1 a check that failed or a part that was not all measured because of an error, and 130 an
    interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where all files go")
    parser.add_argument("--quick", action="store_true", help="only what matters most, in two minutes")
    parser.add_argument("--only", choices=PARTS, metavar="PART", help=f"only one of {', '.join(PARTS)}, once more")
    parser.add_argument("--stand-ins", action="store_true", help="even where there is a GPU")
    parser.add_argument("--commit", default=device.commit(), help="what is measured, where there is no repository")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    scale = Scale(given.out.resolve(), given.quick, given.stand_ins or not device.present(), given.commit)
    if scale.stand_ins:
        print(
            "On STAND-INS" + ("" if given.stand_ins else ": there is no GPU here") + ". No time below means anything."
        )
    return measured([given.only] if given.only else list(PARTS), scale)


def measured(names: Sequence[str], scale: Scale) -> int:
    """Run parts, write their results after each, and print the tables; returns the exit status."""
    begin = time.monotonic()
    scale.out.mkdir(parents=True, exist_ok=True)
    # A part may be repeated after a change in the sources: each part has its own commit.
    depends = {name: value for name, value in fingerprint().items() if name != "sources"}
    store = Store(scale.out, depends | {"stand_ins": scale.stand_ins})
    if store.changed:
        print(f"What was measured before is dropped: {'; '.join(store.changed)}")
    store.forget([key for key in store.rows if key.partition(": ")[0] in names])

    said: str | None = None

    def keep(part: str, key: str, row: Row) -> None:
        nonlocal said
        store.add(f"{part}: {key}", row)
        # One line for all rows that have one reason, such as a library that is missing.
        before, said = said, row.get("skipped")
        if said not in (None, LATE, before):
            print(f"  {key}: {in_words(row)}", flush=True)

    status = DONE
    print(f"{PARTS[names[0]].title} ...", flush=True)
    try:
        for number, (part, spent) in enumerate(run(names, scale, keep), 1):
            store.add(f"{part.name}: ", summary.outcome(part, spent, store.rows, scale))
            print(f"  {summary.in_a_line(store.rows[f'{part.name}: '])}", flush=True)
            _write(store, scale)
            if number < len(names):
                print(f"{PARTS[names[number]].title} ...", flush=True)
    except KeyboardInterrupt:
        print("\nInterrupted: what was measured is kept.")
        status = INTERRUPTED
    path = _write(store, scale)
    data = summary.results(store.rows, scale)
    summary.show(data)
    print(f"\n{time.monotonic() - begin:.0f} s. Results: {path}")
    return status or (WRONG if any(row["failed"] for row in data["parts"]) else DONE)


def _write(store: Store, scale: Scale) -> Path:
    data = summary.results(store.rows, scale)
    path = scale.out / f"cuda-{device.short_name(data['machine'])}.json"
    save(path, data)
    return path


if __name__ == "__main__":
    sys.exit(main())
