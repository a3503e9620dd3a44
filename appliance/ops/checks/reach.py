"""Doors that a start will need, and the mail server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Final

from appliance.ops.findings import Fault, Situation, check
from appliance.runtime import leftovers, preflight
from appliance.services import mail

_PATIENCE: Final = 2.0
"""Seconds that a mail server has to take a connection."""


@check("ports", "the ports of a start are free, or its own")
def ports(situation: Situation) -> Iterator[Fault]:
    """While it runs they are its own. What an earlier run has left on them, a start ends first."""
    if situation.programs is not None or leftovers.are_there(situation.paths):
        return
    for fault in preflight.find_port_faults(situation.settings):
        meaning, _, after = fault.partition("; next: ")
        if not after:
            meaning, _, after = fault.rpartition("; ")
        yield "error", meaning, after


@check("mail", "the mail server takes connections, or none is set")
def reach(situation: Situation) -> Iterator[Fault]:
    """No more than a connection: to sign in would be an attempt in somebody's log."""
    if situation.settings.smtp_url is None:
        return
    host, port = mail.place_of(situation.settings.smtp_url)
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as fault:
        yield (
            "warning",
            f"the mail server of SMTP_URL, {host} port {port}, cannot be reached: {fault}",
            "correct SMTP_URL, then ./scripts/appliance reload; e-mail waits, and is sent when it is there",
        )
