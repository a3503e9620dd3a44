"""The stores against the real servers."""
