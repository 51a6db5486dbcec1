"""Traces: a program written down as a list of instructions, made simpler, and what it may see outside of itself."""
