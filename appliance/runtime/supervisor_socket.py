"""supervisord's XML-RPC over its Unix socket."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any

from appliance.addresses import Paths

ANSWER_SECONDS = 3.0


def connect(paths: Paths) -> xmlrpc.client.ServerProxy:
    """To be closed by `with`. Calls raise OSError, http.client.HTTPException and xmlrpc.client.Error."""
    return xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(paths.supervisor_socket))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        self._connection = host, _UnixConnection(self.path)  # kept, so that closing the proxy closes it
        return self._connection[1]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self.path))
