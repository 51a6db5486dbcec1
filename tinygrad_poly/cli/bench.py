"""The command `tinygrad-poly bench`: runs the benchmarks of a checkout."""

import sys
from pathlib import Path

from tinygrad_poly.cli.options import UsageError


def run(arguments: list[str]) -> int:
    """Measure what the arguments choose; returns the exit status.

    Raises:
        UsageError: outside of a checkout, or where a package is missing that the benchmarks need.
    """
    checkout = Path(__file__).parents[2]
    if not (checkout / "benchmarks" / "__main__.py").is_file():
        raise UsageError(
            "the benchmarks are in the source, not in the installed package: get a checkout of tinygrad_poly, and in "
            "it run `make bench`, or `pip install --editable . --group test --group peers` and this command again"
        )
    sys.path.insert(0, str(checkout))
    try:
        from benchmarks.__main__ import main as bench
    except ModuleNotFoundError as error:
        install = "pip install -c constraints.txt --group test --group peers"
        raise UsageError(f"{error.name} is not installed: {install}") from None
    finally:
        sys.path.remove(str(checkout))
    return bench(arguments, "tinygrad-poly bench")
