"""The first step in a new process: `python -m benchmarks.running.cold CASE IMPLEMENTATION`.

Prints a line of JSON: how long it took to import all that the first step needs, how long the rest took until the first
step was done (data, tracing, compiling, the step), and after some more steps the most memory that the process had.
"""

# NumPy and the other libraries are imported later: that is what is timed.
from __future__ import annotations

import builtins
import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

MORE_STEPS = 3


class ImportClock:
    """A clock that adds up the time of imports, including those that an import causes.

    Attributes:
        seconds: so far.
    """

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def __enter__(self) -> ImportClock:
        self._before = builtins.__import__, importlib.import_module
        builtins.__import__ = self._timed(builtins.__import__)
        importlib.import_module = self._timed(importlib.import_module)
        return self

    def __exit__(self, *_: object) -> None:
        builtins.__import__, importlib.import_module = self._before

    def _timed(self, load: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            if self._depth:
                return load(*arguments, **options)
            self._depth, begin = 1, time.perf_counter()
            try:
                return load(*arguments, **options)
            finally:
                self._depth = 0
                self.seconds += time.perf_counter() - begin

        return timed


def main(case_id: str, name: str) -> None:
    """Take the first step and print its times."""
    begin = time.perf_counter()
    with ImportClock() as imports:
        from benchmarks.problems import CASES
        from benchmarks.registry import Unavailable, start

        case = next(case for case in CASES if case.id == case_id)
        try:
            run = start(case, name)
        except Unavailable as reason:
            print(json.dumps({"skipped": str(reason)}))
            return
        run.take(1)
    first = time.perf_counter() - begin - imports.seconds
    run.take(MORE_STEPS)
    print(json.dumps({"import": imports.seconds, "first": first, "peak_bytes": peak_bytes()}))


def peak_bytes() -> int:
    """The largest memory use of this process so far."""
    try:
        # Not getrusage, whose maximum includes what the process was before it became this program.
        with open("/proc/self/status") as status:
            kilobytes = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
        return int(kilobytes) * 1024
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
