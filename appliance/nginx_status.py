"""What nginx tells of itself (`stub_status`), by its inner socket: connections, and all requests together."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Final, NamedTuple

_TEXT: Final = re.compile(
    rb"Active connections: (\d+)\s+server accepts handled requests\s+(\d+) (\d+) (\d+)\s+"
    rb"Reading: (\d+) Writing: (\d+) Waiting: (\d+)"
)


class NginxStatus(NamedTuple):
    """The first, and those after `requests`, are as of now; the others count since nginx was started."""

    active: int
    accepted: int
    handled: int
    requests: int
    reading: int
    writing: int
    """Requests that are not answered yet, the one that asks for this included."""
    waiting: int


def find(path: Path, seconds: float) -> NginxStatus | None:
    """None when it does not answer within so long."""
    try:
        found = _TEXT.search(_ask(path, seconds))
    except OSError:
        return None
    return None if found is None else NginxStatus(*map(int, found.groups()))


def _ask(path: Path, seconds: float) -> bytes:
    """Raises OSError."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(seconds)
        asked.connect(str(path))
        asked.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        while (part := asked.recv(4096)) and len(answer) < 65_536:
            answer += part
    return answer
