"""What is told of a program, and what supervisord answers while it stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import UnixStreamServer
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import pytest

from appliance.addresses import Paths
from appliance.ops import supervisor
from appliance.ops.supervisor import NotRunning
from tests.runtime.servers import temporary_data


class _Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ()
    disable_nagle_algorithm = False  # an option of TCP

    def address_string(self) -> str:
        return "unix"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class _Stopping(UnixStreamServer, SimpleXMLRPCDispatcher):
    """Speaks as supervisord does between the wish to stop and its end, which is too short to hit for sure."""

    _send_traceback_header = False

    def __init__(self, path: Path) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=False, encoding="utf-8")
        UnixStreamServer.__init__(self, str(path), _Handler)
        self.register_function(self._refuse, "supervisor.getAllProcessInfo")

    def _refuse(self) -> None:
        raise Fault(6, "SHUTDOWN_STATE")


@contextmanager
def stopping(path: Path) -> Iterator[None]:
    with _Stopping(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_a_supervisor_that_stops_is_told_in_words() -> None:
    with temporary_data() as data:
        paths = Paths(data)
        paths.run.mkdir(parents=True)
        with stopping(paths.supervisor_socket), pytest.raises(NotRunning) as caught:
            supervisor.ask(paths)
    assert str(caught.value) == f"the appliance on {data} is stopping or restarting"


def test_the_fault_has_the_number_that_supervisor_gives_it() -> None:
    from supervisor.xmlrpc import Faults

    assert Faults.SHUTDOWN_STATE == supervisor.SHUTTING_DOWN
