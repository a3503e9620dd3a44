"""The paths, a file each group."""
