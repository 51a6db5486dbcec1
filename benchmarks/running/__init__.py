"""Choosing rows, measuring them in fresh processes, and keeping them."""
