"""Disks of our own: a small one, which can be filled, and one that does not answer."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DETACH = 2
"""MNT_DETACH of umount2(2)."""


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


@contextmanager
def silent() -> Iterator[Path]:
    """A mount whose server never answers, as that of a network file system that is away: FUSE, and nobody who
    reads what the kernel asks. Who may not mount skips.
    """
    folder = Path(tempfile.mkdtemp(prefix="appliance-"))
    try:
        server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as fault:
        folder.rmdir()
        pytest.skip(f"no FUSE here: {fault}")
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
    failed = libc.mount(b"silent", os.fsencode(folder), b"fuse", 0, options)
    try:
        if failed:
            pytest.skip(f"no mount of its own: {os.strerror(ctypes.get_errno())}")
        yield folder
    finally:
        os.close(server)  # which ends all who still wait
        if not failed:
            libc.umount2(os.fsencode(folder), _DETACH)
        folder.rmdir()
