"""The tape: what a gradient is, and how it is computed. This folder imports nothing of the package outside itself."""
