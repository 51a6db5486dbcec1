"""The tape: what a gradient is, and how it is computed. Nothing here imports the rest of the package."""
