"""Tutorial programs: fifteen programs from six tutorials, reproduced to their printed digits.

The tutorials fit curves by gradient descent, first with gradients worked out by hand, then by an
automatic differentiation engine: T1–T5 and T11–T15 a cubic to sin, T6–T10 a line through a few points. Here every
program is written once, as a `Problem`, and run both ways. The folder, in reading order:

- `problem`: what a program consists of.
- `problems`: the fifteen.
- `routes`: the ways to go down, by hand and in the tutorials' manners of using an engine.
- `printed`: the figures that the tutorials printed.
- `recovery`: the random weights that they must have started with.
- `rounding`: how far two programs for the same gradient may differ.
- `report`: runs all of it and compares.

>>> for outcome in run(["T8", "T10"]):
...     print(outcome.name, outcome.figures, outcome.passed)
T8 38 True
T10 41 True
"""

from tinygrad_poly.tutorials.report import Outcome as Outcome
from tinygrad_poly.tutorials.report import run as run
