"""Measurements, run by scripts/bench: both sides in one run, alternating, medians and ratios."""
