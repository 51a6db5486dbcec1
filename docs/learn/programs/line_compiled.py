"""A line through six points: the tape recorded once, and printed as a program."""

import tinygrad_poly as tg
from tinygrad_poly.fitting import fit, program


def loss_of(weights, x, y):
    return ((weights["w"] * x + weights["b"] - y) ** 2).mean()


x = tg.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=tg.float64)
y = 3 * x
start = {"w": 0.5, "b": 0.25}
print(program(loss_of, start, x, y, lr=0.01))

result = fit(loss_of, start, x, y, steps=1001, lr=0.01, compile=True, progress=False)
w, b = (weight.item() for weight in result.params.values())
print(f"y = {w:.6f} x + {b:.6f}")
