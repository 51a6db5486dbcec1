"""Is a gradient right? Programs whose gradients are known exactly, and the errors that rounding allows."""
