"""Counting what processes do, for Prometheus: a file of each program's slot, which the scheduler reads."""
