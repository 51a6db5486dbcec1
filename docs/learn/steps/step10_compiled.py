"""Step 10: the recorded step, printed as a program."""

import tinygrad_poly as tg
from tinygrad_poly import compile


@compile
def slopes(w, b, x, y):
    """The loss of step 8, and its derivatives with respect to w and b."""
    loss = ((w * x + b - y) ** 2).mean()
    return loss, *tg.grad(loss, (w, b))


if __name__ == "__main__":
    x = tg.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=tg.float64)
    w = tg.tensor(0.5, dtype=tg.float64, requires_grad=True)
    b = tg.tensor(0.25, dtype=tg.float64, requires_grad=True)
    loss, d_w, d_b = slopes(w, b, x, 3 * x)
    print(f"loss {loss.item():.4f}, slopes {d_w.item():.4f} and {d_b.item():.4f}")
    print(slopes.source)
