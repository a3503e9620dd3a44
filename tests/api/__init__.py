"""The HTTP contract, asked through every layer."""
