"""What scripts/image proves of the container image. Run by it, not by pytest: it needs a Docker engine."""
