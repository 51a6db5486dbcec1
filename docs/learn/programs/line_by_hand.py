"""A line through six points: the two derivatives worked out on paper."""

import numpy as np

x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
y = 3 * x
w, b = 0.5, 0.25

for step in range(1001):
    error = w * x + b - y
    loss = (error**2).mean()
    d_w = 2 * (error * x).mean()
    d_b = 2 * error.mean()
    w -= 0.01 * d_w
    b -= 0.01 * d_b
    if step % 500 == 0:
        print(f"{step} {loss:.6f}")
print(f"y = {w:.6f} x + {b:.6f}")
