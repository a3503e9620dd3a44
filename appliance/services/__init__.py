"""Use cases: one verb a function."""
