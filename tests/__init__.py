"""The tests: a package, so that `python -m tests.proof.prove` runs from the checkout and finds no other `tests`."""
