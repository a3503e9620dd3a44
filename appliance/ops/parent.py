"""The process that holds a data folder: `appliance up`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator

from appliance.addresses import Paths


@contextlib.contextmanager
def hold(paths: Paths) -> Iterator[int | None]:
    """The pid that runs on the folder, or None: then nothing can start there until this is left."""
    try:
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None  # nothing has ever run there
        return
    try:
        yield None if _is_free(descriptor) else int(os.read(descriptor, 32).decode().strip() or 0)
    finally:
        os.close(descriptor)


def find(paths: Paths) -> int | None:
    with hold(paths) as pid:
        return pid


def send(paths: Paths, number: signal.Signals) -> bool:
    """Whether there was one to send it to."""
    pid = find(paths)
    if not pid:
        return False
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # Asked again now that the handle holds this very process.
        if find(paths) != pid:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _is_free(descriptor: int) -> bool:
    """It is ours then."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
