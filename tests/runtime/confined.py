"""A program that takes its part of the budget as `launch` does and then does what a test asks for.

`python -m tests.runtime.confined DATA PROGRAM DEED [NUMBER]`, started by tests.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from appliance.addresses import Paths
from appliance.runtime import confinement


def burn(seconds: float) -> None:
    """Print the CPU seconds that it got in so many seconds of the clock."""
    started, end = time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    print(time.process_time() - started, flush=True)


def widen(_: float) -> None:
    """Print the cores that it has after it asked for all."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    print(*sorted(os.sched_getaffinity(0)), flush=True)


def hold(mebibytes: float) -> None:
    """Fill so much memory, then wait to be ended."""
    held = bytearray(os.urandom(4096)) * int(mebibytes * 256)
    print("holds", len(held), flush=True)
    signal.pause()


def wait(_: float) -> None:
    """Leave a child that no signal of a terminal or group reaches, print its pid, wait."""
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    print(child, flush=True)
    signal.pause()


def tell(_: float) -> None:
    rank = Path("/proc/self/oom_score_adj").read_text().strip()
    print(os.getpriority(os.PRIO_PROCESS, 0), rank, *sorted(os.sched_getaffinity(0)), flush=True)


DEEDS = {each.__name__: each for each in (burn, widen, hold, wait, tell)}

if __name__ == "__main__":
    data, program, deed, *number = sys.argv[1:]
    for line in confinement.confine(program, Paths(Path(data))):
        print(line, flush=True)
    DEEDS[deed](float(*number or ["0"]))
