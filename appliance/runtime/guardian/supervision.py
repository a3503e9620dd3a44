"""What supervisord says of its programs, and what it is asked to do with them."""

from __future__ import annotations

import http.client
import xmlrpc.client
from typing import Any, NamedTuple, cast

from appliance.addresses import Paths
from appliance.disk import write_atomically
from appliance.runtime import supervisor_socket
from appliance.runtime.guardian.policy import Seen

FAULTS = (OSError, http.client.HTTPException, xmlrpc.client.Error)
LEAVE = "guardian.leave"
"""The type of supervisord's remote event that says that an operator has stopped what was down already."""

# Of supervisor.xmlrpc.Faults, whose module would take long to import.
SHUTTING_DOWN, SPAWN_ERROR, ALREADY_STARTED = 6, 50, 60


class Row(NamedTuple):
    full_name: str
    """As supervisord wants it: with the group."""
    seen: Seen


class Supervision:
    """Each call is a connection of its own, bounded by some seconds, and raises one of FAULTS."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def rows(self) -> dict[str, Row]:
        """By program."""
        with supervisor_socket.connect(self._paths) as proxy:
            found = cast("list[dict[str, Any]]", proxy.supervisor.getAllProcessInfo())
        return {each["name"]: _row(each) for each in found}

    def start(self, full_name: str) -> None:
        """Without waiting for what comes of it."""
        with supervisor_socket.connect(self._paths) as proxy:
            proxy.supervisor.startProcess(full_name, False)

    def is_left(self, program: str, ended: Seen) -> bool:
        try:
            return self._paths.left(program).read_text() == str(ended.started)
        except OSError:
            return False

    def kill(self, full_name: str, pid: int) -> None:
        """Unless it is another process by now.

        Not stop and start: killed in between, we would leave it stopped.
        """
        with supervisor_socket.connect(self._paths) as proxy:
            row = cast("dict[str, Any]", proxy.supervisor.getProcessInfo(full_name))
        if row["pid"] == pid:
            with supervisor_socket.connect(self._paths) as proxy:
                proxy.supervisor.signalProcess(full_name, "KILL")

    def leave(self, program: str, ended: Seen) -> None:
        """The life that has ended is not to be followed by another. Raises OSError.

        A file, since nobody may be listening; the event says that it is worth a look.
        """
        write_atomically(self._paths.left(program), str(ended.started))
        with supervisor_socket.connect(self._paths) as proxy:
            proxy.supervisor.sendRemoteCommEvent(LEAVE, program)


def _row(row: dict[str, Any]) -> Row:
    name, group = row["name"], row["group"]
    full_name = name if name == group else f"{group}:{name}"
    return Row(full_name, Seen(row["statename"], row["pid"], row["start"], _why(row)))


def _why(row: dict[str, Any]) -> str:
    """How it ended; supervisord tells no signal's name here, its log does."""
    if row["statename"] == "FATAL":
        return "ended as it started"
    return "killed by a signal" if row["exitstatus"] < 0 else f"exit status {row['exitstatus']}"
