"""Shared parts of all commands: exit statuses, errors of usage, and types of options."""

import argparse
import math
from collections.abc import Callable
from typing import Any, NoReturn

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """Options that make no sense."""


class Parser(argparse.ArgumentParser):
    """An argument parser that reports wrong usage by an exception."""

    def error(self, message: str) -> NoReturn:
        """Raise an exception for wrong usage, where argparse would end the process."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse says nothing where help cannot be written, such as to a full disk.
        print(message, end="", file=file)


def number_type(kind: Callable[[str], Any], allowed: Callable[[Any], bool], expected: str) -> Callable[[str], Any]:
    """A type for an option: a number for which `allowed` holds."""

    def parse(text: str) -> Any:
        """Read the number, or say what was expected."""
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not allowed(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, but got {text!r}")
        return value

    return parse


COUNT = number_type(int, lambda n: 1 <= n <= 10**9, "a whole number from 1 to 1000000000")
SEED = number_type(int, lambda n: n >= 0, "a whole number of 0 or more")
RATE = number_type(float, lambda lr: 0 < lr < math.inf, "a positive number")
WEIGHTS = number_type(
    lambda text: [float(part) for part in text.split(",")],
    lambda numbers: all(math.isfinite(number) for number in numbers),
    "numbers with commas between them, such as 0.1,-2,0,1",
)
