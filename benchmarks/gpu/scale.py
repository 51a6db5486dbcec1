"""The scale of the GPU measurements, and helpers that every part uses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.interface import Unavailable
from benchmarks.running.runner import reason
from benchmarks.running.store import Row

ANEW = 75
"""The status of a process after which another one is to go on: EX_TEMPFAIL of sysexits.h."""

At = Callable[[str], None]
"""Says which row is worked on, so that it is known where the process ends."""


@dataclass(frozen=True)
class Scale:
    """The amount of measurement: sizes, times, and the end of the time.

    Attributes:
        out: the folder of all files.
        quick: only what matters most.
        stand_ins: whether the GPU is none.
        commit: what is measured; None where nobody knows.
        until: the time by `time.monotonic` at which all has to be over.
    """

    out: Path
    quick: bool = False
    stand_ins: bool = False
    commit: str | None = None
    until: float = math.inf

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self.until - time.monotonic()


def tried(key: str, code: Callable[[], Row]) -> Iterator[tuple[str, Row]]:
    """A row by running `code`, or a row that says why there is none.

    After an error for which the device is lost, the process is over: another one goes on with the rest.
    """
    try:
        row = code()
    except Unavailable as error:
        row = {"skipped": str(error)}
    except Exception as error:
        row = {"skipped": reason(error), "failed": True}
    yield key, row
    if row.get("failed"):
        freed()


def freed() -> None:
    """Free the memory that libraries hold for later.

    Raises:
        SystemExit: where the device does not answer any more, with the status that asks for another process.
    """
    import gc
    import sys

    gc.collect()
    cupy: Any = sys.modules.get("cupy")
    torch: Any = sys.modules.get("torch")
    try:
        if cupy is not None:
            cupy.cuda.Device().synchronize()
            cupy.get_default_memory_pool().free_all_blocks()
        if torch is not None and torch.cuda.is_available():
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
    except Exception:
        raise SystemExit(ANEW) from None
