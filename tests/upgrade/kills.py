"""A piece of work in a process of its own, which ends without a word before its step number so and so."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

STEPS = (
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "shutil.copystat",
    "open",
    "os.truncate",
)
"""Audit events of what changes files; of `open` only those that write."""
KILLED = 9


def before(step: int, work: Callable[[], object]) -> int:
    """The status: 0 when it came to its end, KILLED when it was ended there."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, given: tuple[object, ...]) -> None:
            nonlocal left
            if event in STEPS and (event != "open" or _writes(given)):
                left -= 1
                if left == 0:
                    os._exit(KILLED)

        try:
            sys.addaudithook(count)
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _writes(given: tuple[object, ...]) -> bool:
    flags = given[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
