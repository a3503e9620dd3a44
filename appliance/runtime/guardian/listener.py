"""supervisord's protocol of event listeners, on stdin and stdout: each event is answered as it is read.

https://supervisord.org/events.html: READY, then a line of headers and `len` bytes, then RESULT. Until it is
answered, an event stays with supervisord, which gives it to the next guardian.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import NamedTuple

_READY = b"READY\n"
_OK = b"RESULT 2\nOK"


class Event(NamedTuple):
    name: str
    payload: str


class Listener:
    def __init__(self, source: int = 0, target: int = 1) -> None:
        self._source, self._target = source, target
        self._read = b""
        self._say(_READY)

    def wait(self, seconds: float) -> Iterator[Event]:
        """Events, as long as one follows the other; none after `seconds`. Raises EOFError.

        Each is answered as the next is asked for: what was heard has been worked off.
        """
        while select.select([self._source], [], [], seconds)[0]:
            piece = os.read(self._source, 65536)
            if not piece:
                raise EOFError("supervisord is gone")
            self._read += piece
            while (event := self._take()) is not None:
                yield event
                self._say(_OK + _READY)
            seconds = 0.0

    def _take(self) -> Event | None:
        line, found, rest = self._read.partition(b"\n")
        if not found:
            return None
        headers = dict(word.split(":", 1) for word in line.decode().split())
        length = int(headers["len"])
        if len(rest) < length:
            return None
        self._read = rest[length:]
        return Event(headers["eventname"], rest[:length].decode("utf-8", "replace"))

    def _say(self, words: bytes) -> None:
        os.write(self._target, words)
