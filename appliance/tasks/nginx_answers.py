"""What nginx answered itself, read off its log: no API was asked, or none answered, so no API counts it.

nginx says in each line whether it was so (`own`, nginx.conf). Its log is followed since nothing new can then
hold up or fail a request: its syslog writes an alert a request while nobody listens on the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from appliance.addresses import Paths
from appliance.clock import Clock
from appliance.services.context import Context

_BEGIN: Final = rb'^\{"time":"[^"]*","program":"nginx","level":"info","message":"request",'
_OWN: Final = re.compile(_BEGIN + rb'"own":"(\d{3})( planned)?"', re.MULTILINE)
"""No caller can write it: nginx's own alerts quote him as he is, but he begins no line."""
_KINDS: Final = ((b"413", b""), (b"429", b""), (b"500", b""), (b"503", b""), (b"503", b" planned"))
"""Each is told from the start, as 0: of a series that begins with a number Prometheus sees no increase."""
_CHUNK: Final = 1 << 20
_LONGEST: Final = 1 << 16
"""Bytes of a line that is not at its end; what is longer is none of a request."""


class NginxAnswers(Collector):
    """A chore of the scheduler and what Prometheus reads of it.

    Begins at the end of the log; after each rotation the old file is read to its end before the new one. Two
    rotations between two looks, 20,000 requests a second, lose those of a file. A look costs 1 μs a line.
    """

    def __init__(self) -> None:
        self._counted = dict.fromkeys(_KINDS, 0)
        self._log: FileIO | None = None
        self._rest = b""
        self._has_looked = False

    async def __call__(self, context: Context, now: Clock) -> int:
        """Raises OSError."""
        await asyncio.to_thread(self.look, Paths(context.settings.data).logs / "nginx.log")
        return 0

    def look(self, path: Path) -> None:
        """Count what was written since. Raises OSError."""
        self._read()
        with contextlib.suppress(FileNotFoundError):
            if self._log is None or not os.path.samestat(os.fstat(self._log.fileno()), path.stat()):
                self._change_to(_open(path))
        self._has_looked = True

    def _change_to(self, newer: FileIO) -> None:
        self._read()  # what came before the rotation, since
        self.close()
        self._log = newer  # a line that the rotation has split goes on in it
        if not self._has_looked:
            newer.seek(0, os.SEEK_END)
        self._read()

    def _read(self) -> None:
        if self._log is not None and os.fstat(self._log.fileno()).st_size < self._log.tell():
            self._log.seek(0)  # somebody has emptied it
            self._rest = b""
        while self._log is not None and (part := self._log.read(_CHUNK)):
            lines, _, rest = (self._rest + part).rpartition(b"\n")
            self._rest = rest[-_LONGEST:]
            for kind in _OWN.findall(lines):
                if kind in self._counted:
                    self._counted[kind] += 1

    def close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def describe(self) -> Iterator[Metric]:
        yield from self.collect()

    def collect(self) -> Iterator[Metric]:
        told = "What nginx answered itself"
        counter = CounterMetricFamily("appliance_nginx_answers", told, labels=["status", "planned"])
        for (status, planned), count in self._counted.items():
            counter.add_metric([status.decode(), "true" if planned else "false"], count)
        yield counter


def _open(path: Path) -> FileIO:
    """Raises OSError, also for a pipe, which would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return FileIO(descriptor)
