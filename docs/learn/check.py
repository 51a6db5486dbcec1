"""Check an answer to an exercise: `python docs/learn/check.py 4 mine.py` looks at the function `answer` in mine.py."""

import contextlib
import io
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "steps"), str(HERE.parents[1])]


def exercise(number):
    """What an exercise defines: `check(answer)`, an `answer`, and a `mistake` that many make."""
    with contextlib.redirect_stdout(io.StringIO()):
        return runpy.run_path(str(HERE / "exercises" / f"exercise{number:02}.py"))


def main(arguments):
    """Say whether an answer is right, and if not, where it is wrong; the status is 0 for a right one."""
    if len(arguments) != 2 or not arguments[0].isdecimal() or not 1 <= int(arguments[0]) <= 10:
        print("usage: python docs/learn/check.py NUMBER FILE")
        print("NUMBER is 1 to 10, and FILE defines a function answer(...)")
        return 2
    try:
        answer = runpy.run_path(arguments[1]).get("answer")
    except OSError as error:
        print(f"{arguments[1]} cannot be read: {error.strerror}")
        return 2
    if not callable(answer):
        print(f"{arguments[1]} defines no function named answer")
        return 2
    try:
        exercise(int(arguments[0]))["check"](answer)
    except AssertionError as error:
        print(f"Not yet: {error}")
        return 1
    except Exception as error:
        print(f"Not yet: {type(error).__name__}: {error}")
        return 1
    print("Right.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
