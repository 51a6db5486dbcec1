"""Measurement: rows are chosen, measured in fresh processes, and stored."""
