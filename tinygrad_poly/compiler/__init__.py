"""The compiler: the tape runs once on symbols, and the recorded program is fused into loops.

In the order in which a program passes through them: `symbols` (arrays that record), `program` (a flat list of
instructions and its slow interpreter), `simplify`, `fuse` (what becomes one loop), `loops` and `driver` (source),
and the runners for Numba and NumPy. `function` and `training` say what is traced, `steps` is a whole training loop.
"""

from tinygrad_poly.compiler.function import CompiledFunction as CompiledFunction
from tinygrad_poly.compiler.function import compile as compile
from tinygrad_poly.compiler.steps import CompiledSteps as CompiledSteps
