"""Receivers of requests, most of them evil: real servers on free ports, one thread a connection."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Manner = Callable[[socket.socket], None]
"""What a server does with a connection once the request has come in whole."""

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Receiver:
    """Listens while its context is open, and keeps what it was sent."""

    def __init__(
        self, manner: Manner, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._door = socket.create_server((host, 0), backlog=256)
        self._host = host
        self._manner, self._context = manner, context
        self._open: list[socket.socket] = []
        self.port = int(self._door.getsockname()[1])
        self.requests: list[tuple[dict[str, str], bytes]] = []
        """Headers (and the first line as `:`), and the body."""
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, host: str = "", path: str = "/hook") -> str:
        return f"{'https' if self._context else 'http'}://{host or self._host}:{self.port}{path}"

    def close(self) -> None:
        for each in (self._door, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._door.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            if (request := _read(connection)) is not None:
                self.requests.append(request)
                self._manner(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


@contextmanager
def receiver(
    manner: Manner, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Receiver]:
    made = Receiver(manner, context, host)
    try:
        yield made
    finally:
        made.close()


def _read(connection: socket.socket) -> tuple[dict[str, str], bytes] | None:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return None
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {":": first} | {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return headers, body


def says(answer: bytes) -> Manner:
    return lambda connection: connection.sendall(answer)


def status(code: int, body: bytes = b"", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {code} Because\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


def drops(connection: socket.socket) -> None:
    """Hangs up without a word."""


def hangs(connection: socket.socket) -> None:
    """Says nothing, until the other side has gone."""
    connection.recv(1)


def drips(connection: socket.socket) -> None:
    """A byte of the head now and then, which no timeout between two reads would end."""
    for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"a" * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drips_the_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
    for _ in range(10_000):
        connection.sendall(b"a")
        time.sleep(0.05)


def interim_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)


def no_http(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")


def bomb() -> bytes:
    """A gigabyte of zeros, were it inflated."""
    packed = gzip.compress(b"\0" * 2**20, 9) * 1024
    return status(200, packed, content_encoding="gzip")


class Flood:
    """100 MB of body; `sent` tells how much of it went off."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n")
        for _ in range(1600):
            connection.sendall(b"a" * 65536)
            self.sent += 65536


class Turns:
    """One manner after another, the last one for ever."""

    def __init__(self, *manners: Manner) -> None:
        self._manners = list(manners)
        self._lock = threading.Lock()

    def __call__(self, connection: socket.socket) -> None:
        with self._lock:
            manner = self._manners.pop(0) if len(self._manners) > 1 else self._manners[0]
        manner(connection)


class Names:
    """A resolver of the tests': each name's answers in turn, the last one for ever."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        turns = self._answers.get(host)
        if turns is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        found: list[str] = turns.pop(0) if len(turns) > 1 else turns[0]
        return found
