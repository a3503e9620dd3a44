"""A stderr for supervisord that always takes what is written.

When the disk of its log is full, supervisord writes a traceback to its stderr; if that is a file on the same
disk, the second error ends supervisord, and with it everything. So it gets a pipe, which the parent empties.
"""

from __future__ import annotations

import os
import select
import threading

TARGET = 2
_PIECE = 4096
"""PIPE_BUF: so much goes into a pipe at once or not at all."""


def drain(source: int) -> threading.Thread:
    """Empty the pipe until all who write to it are gone; then the thread ends. After the fork: children of
    threads are delicate.
    """
    thread = threading.Thread(target=_drain, args=(source, TARGET), name="stderr", daemon=True)
    thread.start()
    return thread


def _drain(source: int, target: int) -> None:
    """Pass on what the target takes now; the rest is lost rather than waited for."""
    try:
        while piece := os.read(source, _PIECE):
            _write(target, piece)
    finally:
        os.close(source)


def _write(target: int, piece: bytes) -> None:
    try:
        if select.select([], [target], [], 0)[1]:
            os.write(target, piece)
    except (OSError, ValueError):
        pass  # a full disk, or nobody who reads
