"""Moments: sums over the data that are taken once, before the first step."""
