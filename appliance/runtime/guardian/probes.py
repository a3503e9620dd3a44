"""Does it answer? One question for each kind of program, asked of that program alone.

True: it does. False: it should and does not. None: nobody can say, so nothing follows from it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import addresses, processes
from appliance.addresses import Paths, read_line
from appliance.errors import CannotStart
from appliance.runtime import monitoring
from appliance.runtime.guardian.health import TIMEOUT, Care
from appliance.settings import Settings

if TYPE_CHECKING:
    from pymongo import MongoClient

Probe = Callable[[], bool | None]
Place = Path | tuple[str, int]
"""A socket's path, or an address and a port."""
_ASK = b"GET %b HTTP/1.1\r\nHost: guardian\r\nConnection: close\r\n\r\n"

CARES = {"mongo": Care(grace=0.0, pause=60.0)}
"""A database that recovers has not opened its port yet, however long that takes: its grace is that nobody can
say. Each end costs it another recovery."""


def of_program(name: str, settings: Settings) -> Probe:
    """What is asked of it, again and again; call it in one thread."""
    paths = Paths(settings.data)
    if name == "nginx":
        return lambda: serves_http(paths.nginx_socket)
    if name.startswith("api-"):
        path = paths.api_socket(int(name.removeprefix("api-")))
        # A reload takes the socket away from one API after the other, and lets them finish.
        return lambda: None if paths.reloading.exists() else serves_http(path)
    if name in monitoring.PROGRAMS:
        port = addresses.inner_port(settings, name)
        if name == "alertmanager":  # it asks for a password, and lives
            return lambda: serves_http(("127.0.0.1", port), b"/-/healthy", b"401")
        # Not /metrics of an exporter: that is much work, and it complains of one who hangs up midway.
        return lambda: serves_http(("127.0.0.1", port), b"/" if "exporter" in name else b"/-/healthy")
    if name == "redis":
        return lambda: redis_answers(paths)
    if name == "mongo":
        return Mongo(settings)
    return Beats(paths.beat(name))


def may_be_asked_often(name: str) -> bool:
    """Until its first answer: it costs little, and no failure counts so early. A database's does count, and a
    beat comes only every few seconds."""
    return name in ("nginx", "redis", *monitoring.PROGRAMS) or name.startswith("api-")


def is_stopped(pid: int) -> bool:
    """By SIGSTOP: whatever its children still answer. One in a debugger is not: its state is `t`."""
    found = processes.find_stat(pid)
    return found is not None and found.state == "T"


def is_launching(pid: int) -> bool:
    """It is still `appliance launch`, which waits for what the program needs: neither healthy nor failed."""
    try:
        return b"\0launch\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def serves_http(place: Place, question: bytes = b"/healthz", status: bytes = b"200") -> bool | None:
    """By its own page. One that takes a connection and closes it has no room for one more, and lives."""
    try:
        answer = _ask(place, _ASK % question, b"\r\n")
    except (ConnectionResetError, BrokenPipeError):
        return None
    except OSError:
        return False
    return answer.startswith(b"HTTP/1.1 %b " % status) if answer else None


def redis_answers(paths: Paths) -> bool | None:
    """An answer other than PONG tells that it loads its data, or runs a script: alive, and not of use yet."""
    try:
        password = read_line(paths.redis_password)
        answer = _ask(paths.redis_socket, f"AUTH {password}\r\nPING\r\n".encode(), b"\r\n", 2)
    except (OSError, CannotStart):
        return False
    return answer.startswith(b"+OK\r\n+PONG") or None


class Mongo:
    """A read, since the embedded server still answers `ping` when its storage has failed for good."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: MongoClient[dict[str, Any]] | None = None

    def __call__(self) -> bool | None:
        from pymongo.errors import OperationFailure, PyMongoError

        if not self._listens():
            return None
        try:
            self._connected().get_default_database().durable.find_one({"_id": "transactions"})
        except OperationFailure as fault:
            if fault.code not in _REFUSALS:
                return False
            self.close()
            self._client = None  # its password may have been replaced: the next one reads it again
            return None
        except (PyMongoError, CannotStart):
            return False
        return True

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _listens(self) -> bool:
        """One that is frozen does, and takes no connection once its backlog is full."""
        try:
            port = int(read_line(Paths(self._settings.data).mongo_port))
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
        except (ConnectionRefusedError, ValueError, CannotStart):
            return False
        except OSError:
            return True
        return True

    def _connected(self) -> MongoClient[dict[str, Any]]:
        from pymongo import MongoClient

        if self._client is None:
            uri = addresses.mongodb_uri(self._settings)
            self._client = MongoClient(uri, timeoutMS=int(TIMEOUT * 1000), maxPoolSize=1, appname="guardian")
        return self._client


_REFUSALS = (13, 18)
"""Unauthorized, AuthenticationFailed: it answers, and starting it again would not change that."""


class Beats:
    """Whether a file was touched since it was last asked. Two touches are told apart, never compared with the
    time: the clock may be put where it likes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: int | None = None

    def __call__(self) -> bool | None:
        try:
            touched = self._path.stat().st_mtime_ns
        except OSError:
            touched = 0
        before, self._seen = self._seen, touched
        return None if before is None else touched not in (0, before)


def _ask(place: Place, question: bytes, end: bytes, ends: int = 1) -> bytes:
    """What is answered, up to so many line ends. Raises OSError."""
    address = str(place) if isinstance(place, Path) else place
    with socket.socket(socket.AF_UNIX if isinstance(place, Path) else socket.AF_INET) as door:
        door.settimeout(TIMEOUT)
        door.connect(address)
        door.sendall(question)
        answer = b""
        while answer.count(end) < ends and (part := door.recv(512)):
            answer += part
    return answer
