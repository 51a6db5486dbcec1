"""The command: measure, print the tables, keep the counts, write the page.

    python -m tests.proof.doctor --count 30000
    python -m tests.proof.doctor --quick --only JAX
    python -m tests.proof.doctor --case 0:17w
    python -m tests.proof.doctor --page

Exit status 1 if a target is missed, 2 if something is not installed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import tinygrad_poly as tg

from .cases import make_case
from .measure import Tally, installed, run_batch, speed
from .peers import CHECKERS, DOCTOR, ask
from .report import as_page, as_text, tables, targets

SAVED = Path(__file__).with_name("results.json")
PAGE = Path("docs/doctor.md")
BATCH = 43


def measure(count: int, seed: int, jobs: int, names: Sequence[str], every: int, until: float) -> Tally:
    """So many right gradients, half as many wrong ones, in `jobs` processes; stops early at a time.

    This checker alone is asked about all of them, the others in one batch of `every`.
    """
    tally, began, done = Tally(), time.monotonic(), 0
    batches = [range(n, min(n + BATCH, count)) for n in range(0, count, BATCH)]
    # As BATCH is odd, every second number of a batch, and every second batch, come to all functions.
    work = [
        (seed, batch[:: 1 + wrong], wrong, names if k % every == 0 else [n for n in names if n == DOCTOR])
        for k, batch in enumerate(batches)
        for wrong in (False, True)
    ]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run_batch, *each) for each in work]):
            tally.add(future.result())
            done += 1
            spent = time.monotonic() - began
            print(f"\r{done} of {len(work)} batches, about {spent * (len(work) - done) / done:.0f} s left   ", end="",
                  file=sys.stderr, flush=True)  # fmt: skip
            if spent > until:
                pool.shutdown(cancel_futures=True, wait=False)
                break
    print(file=sys.stderr)
    return tally


def show(name: str) -> None:
    """Print one case, and what every checker says about it."""
    seed, _, number = name.partition(":")
    case = make_case(int(seed), int(number.removesuffix("w")), number.endswith("w"))
    if case is None:
        print("there is no such case: the formula says nothing there, or the mistake does not show")
        return
    np.set_printoptions(precision=17)
    print(case, *(f"  {n} = {x!r}" for n, x in zip(case.row.arguments, case.args)), sep="\n")
    print(f"  {case.row.lines}; {case.row.back}; {case.row.value}; {case.row.gradients}")
    for n, g, G, bound in zip(case.row.wrt, case.make()(*[*case.given, *([case.cotangent] if case.array else [])]),
                              case.known.exact, case.known.bound):  # fmt: skip
        print(f"  gradient of {n}: {g!r}\n  exact {G!r}\n  rounding {bound!r}")
    for checker in installed():
        answer = ask(CHECKERS[checker][1], case)
        if answer is not None:
            text = answer.message if checker == DOCTOR else ""
            print(
                f"{checker}: {answer.verdict} {answer.oracle} {answer.diagnoses or ''} {answer.seconds:.3f} s\n{text}"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.doctor", description="Measure the gradient doctor.")
    parser.add_argument(
        "--count",
        type=int,
        default=30_000,
        metavar="N",
        help="right gradients; half as many wrong ones (default: 30000)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all cases (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default: 2)")
    parser.add_argument("--quick", action="store_true", help="about a minute: 344 right gradients")
    parser.add_argument("--only", action="append", metavar="CHECKER", help=f"one of {', '.join(CHECKERS)}")
    parser.add_argument("--every", type=int, default=9, metavar="N", help="ask others in one batch of N (default: 9)")
    parser.add_argument("--minutes", type=float, default=1e9, metavar="N", help="stop early after so many")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the counts in a file")
    parser.add_argument("--add", type=Path, metavar="FILE", help="counts of an earlier run to add")
    parser.add_argument("--case", metavar="SEED:NUMBER", help="show one case instead, as the tables name it")
    parser.add_argument(
        "--page", action="store_true", help=f"write {PAGE} from the run that was saved, and measure nothing"
    )
    options = parser.parse_args(arguments)
    if options.case:
        show(options.case)
        return 0
    if options.page:
        saved = json.loads(SAVED.read_text())
        made = tables(Tally.from_json(saved["tally"]), saved["times"])
        PAGE.write_text(as_page(made, saved["said"]))
        return 0
    unknown = set(options.only or ()) - set(CHECKERS)
    if unknown:
        parser.error(f"--only: no checker {unknown.pop()!r}; there are {', '.join(CHECKERS)}")
    names = installed([DOCTOR, *options.only] if options.only else ())
    if missing := [n for n in options.only or () if n not in names]:
        print(f"doctor: error: {missing[0]} is not installed", file=sys.stderr)
        return 2
    count = 344 if options.quick else options.count
    tally = measure(count, options.seed, options.jobs, names, options.every, options.minutes * 60)
    if options.add:
        tally.add(Tally.from_json(json.loads(options.add.read_text())["tally"]))
    times = {way: statistics.median(each) for way, each in speed().items()}
    made = tables(tally, times)
    right = sum(c for key, c in tally.answers.items() if key.checker == DOCTOR and not key.label)
    wrong = sum(c for key, c in tally.answers.items() if key.checker == DOCTOR and key.label)
    said = (
        f"{right:,} right gradients and {wrong:,} wrong ones, tinygrad_poly {tg.__version__}, NumPy {np.__version__}; "
        f"{tally.skipped:,} left out: a formula overflows or cancels down to nothing, or the mistake does not show. "
        f"The other checkers were asked about one case in {options.every}."
    )
    print(said, as_text(made), *tally.notable, sep="\n\n")
    if options.save:
        kept = {"said": said, "times": times, "tally": tally.to_json()}
        options.save.write_text(json.dumps(kept, ensure_ascii=False, indent=0) + "\n")
    return 0 if all(t.met for t in targets(tally, times)) else 1


if __name__ == "__main__":
    sys.exit(main())
