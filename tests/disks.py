"""A small disk of its own, which can be filled."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(size: str) -> Iterator[Path]:
    """A folder on it, such as of `400k`. Who may not mount skips."""
    folder = Path(tempfile.mkdtemp(prefix="appliance-"))
    call = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    told = subprocess.run(call, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        folder.rmdir()
        pytest.skip(f"no disk of its own: {told.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)
