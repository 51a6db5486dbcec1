"""The parts of the GPU measurements, in order: each with its share of the time, and run in its own process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.gpu import fits, profile, smoke, suite, sweep
from benchmarks.gpu.scale import ANEW, At, Scale
from benchmarks.running.runner import Broken, Keep, environment, in_processes, supervised
from benchmarks.running.store import Row

ON_STAND_INS = 2
"""So many times as long may what takes a GPU's place take: it is a processor, often with two cores."""
MOST_DEATHS = 4
"""After so many processes, one after the other, that ended without a single row, a part is given up."""


@dataclass(frozen=True)
class Part:
    """A part: rows that are measured together.

    Attributes:
        name: as `--only` takes it.
        title: in a few words.
        seconds: its share of the time, and of a quick one.
        keys: of its rows.
        measure: makes the rows of these keys, in the part's own process, which imports it by its name.
        patience: after so many seconds without a row the process is stopped.
        environment: what its process gets besides.
    """

    name: str
    title: str
    seconds: tuple[float, float]
    keys: Callable[[Scale], list[str]]
    measure: Callable[[Sequence[str], Scale, At], Iterator[tuple[str, Row]]]
    patience: float = 30
    environment: Mapping[str, str] = field(default_factory=dict)

    def share(self, scale: Scale) -> float:
        """Its share of the time, in seconds."""
        return self.seconds[scale.quick] * slower(scale)

    def run(self, scale: Scale, keep: Keep) -> None:
        """Measure, and store each row at once; a row that cannot be measured says why in "skipped"."""
        deaths = 0

        def process(folder: Path, keep: Keep) -> Broken | None:
            nonlocal deaths
            before = count
            options = ("--quick",) * scale.quick + ("--stand-ins",) * scale.stand_ins
            measure = f"{self.measure.__module__}:{self.measure.__name__}"
            where = (measure, str(folder), str(scale.out), str(scale.left))
            command = ("-m", "benchmarks.gpu.process", *where, *options)
            given = {**environment("default"), **self.environment}
            patience = self.patience * slower(scale)
            broken = supervised(command, folder, keep, given, patience, scale.until, well=(0, ANEW))
            deaths = deaths + 1 if broken and count == before else 0
            return Broken(broken.reason, late=True) if broken and deaths >= MOST_DEATHS else broken

        count = 0

        def counted(key: str, row: Row) -> None:
            nonlocal count
            count += 1
            keep(key, row)

        in_processes(self.keys(scale), counted, process)


def slower(scale: Scale) -> int:
    """The factor by which all time limits are longer."""
    return ON_STAND_INS if scale.stand_ins else 1


# JAX takes three quarters of the memory when it starts unless it is told not to.
JAX = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}

PARTS = {
    part.name: part
    for part in (
        Part("smoke", "each kind of kernel", (40, 20), smoke.keys, smoke.measure),
        Part("tests", "tests, and the derivative table", (80, 22), suite.keys, suite.measure, 600),
        Part("sweep", "the constants of the runner", (40, 14), sweep.keys, sweep.measure),
        Part("fits", "the benchmarks", (110, 32), fits.keys_of(fits.together), fits.measure),
        Part("jax", "the benchmarks of JAX", (25, 9), fits.keys_of(fits.alone), fits.measure, environment=JAX),
        Part(
            "torch-compile",
            "the benchmarks of torch.compile",
            (35, 10),
            fits.keys_of(fits.by_torch_compile, fits.COMPILED_BY_TORCH),
            fits.measure,
            patience=45,
        ),
        Part("profile", "where an eager step's time goes", (25, 10), profile.keys, profile.measure),
    )
}


def run(names: Sequence[str], scale: Scale, keep: Callable[[str, str, Row], None]) -> Iterator[tuple[Part, float]]:
    """Run parts one after the other; yields each with its seconds when it has ended.

    A part has to be over when its share of the time and those of all before it are: what one leaves over, the next
    ones have.
    """
    begin, share = time.monotonic(), 0.0
    for name in names:
        part, started = PARTS[name], time.monotonic()
        share += part.share(scale)
        limited = replace(scale, until=begin + share)
        part.run(limited, lambda key, row, name=name: keep(name, key, row))  # type: ignore[misc]
        yield part, time.monotonic() - started
