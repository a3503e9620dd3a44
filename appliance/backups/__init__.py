"""Backups: what an archive is, and its key."""
