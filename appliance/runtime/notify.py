"""What systemd is told of a service (sd_notify(3)): ready, reloading, stopping, alive.

The protocol is one datagram; a package for it would be longer to check than this is to read.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""For the service's main process alone: to be kept from its children."""


class Notifier:
    """Does nothing where systemd did not ask for it."""

    def __init__(self, environ: Mapping[str, str], *, now: Callable[[], float] = time.monotonic) -> None:
        self._socket = environ.get("NOTIFY_SOCKET", "")
        self._every = _watchdog_seconds(environ) / 3
        self._now, self._told = now, now()

    def tell(self, **states: str | int) -> None:
        """`tell(READY=1, STATUS="…")`. Lost where systemd does not listen: no reason to stop."""
        if not self._socket:
            return
        # sd_notify(3): an abstract socket is written with @.
        address = "\0" + self._socket[1:] if self._socket.startswith("@") else self._socket
        text = "\n".join(f"{name}={_one_line(value)}" for name, value in states.items())
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.sendto(text.encode(), address)

    def prove_life(self, lives: Callable[[], bool]) -> None:
        """Tell the watchdog that all is well, when it is time to and `lives` says so."""
        if self._every and self._now() - self._told >= self._every and lives():
            self._told = self._now()
            self.tell(WATCHDOG=1)


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """0 where there is none, or where it is another process's (sd_watchdog_enabled(3))."""
    pid, micro = environ.get("WATCHDOG_PID", ""), environ.get("WATCHDOG_USEC", "")
    return int(micro) / 1e6 if micro.isdigit() and pid in ("", str(os.getpid())) else 0.0


def _one_line(value: str | int) -> str:
    return " ".join(str(value).split())
