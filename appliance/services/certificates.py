"""Certificates from an ACME service (RFC 8555): when to ask for one, and what is remembered between attempts.

One is asked for when there is none, when it is of another service or for other names than the settings say,
and when a third of its life is left. An attempt is written down before it begins, as one that failed: a
program that dies midway over and over does not ask the service over and over. After n failures in a row the
next attempt waits WAITS[n - 1]; that stays below the limits that services have (five failed proofs of a name
an hour). Other settings begin afresh, as does an operator who removes tls/acme-state.json.

A child keeps the dialogue (services/acme_child.py): it is killed after SECONDS, and its memory goes with it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable
from hashlib import sha256

import msgspec

from appliance import logs
from appliance.addresses import Paths
from appliance.clock import Clock, rfc3339
from appliance.disk import write_durably
from appliance.security import acme
from appliance.settings import Settings
from appliance.tls import pairs, record
from appliance.tls.pairs import BadPair

log = logs.get(__name__)
SECONDS = 300.0
_MINUTE = dt.timedelta(minutes=1)
WAITS = tuple(minutes * _MINUTE for minutes in (5, 15, 30, 60, 120, 240, 480, 720, 1440))
LIMITED = 180 * _MINUTE
"""At least so long where the service says that it was asked too often."""


class State(msgspec.Struct, frozen=True):
    """Of attempts that have not led to a certificate yet."""

    asked: str
    """Stands for the settings that it was asked with."""
    failures: int
    at: dt.datetime
    next_at: dt.datetime
    fault: str
    """Of the last one that came to its end."""


Ask = Callable[[], Awaitable[str | None]]
"""Why there is no certificate; None when there is one."""


async def renew_if_due(settings: Settings, now: Clock, ask: Ask | None = None) -> int:
    """How many certificates were obtained: 0 or 1. Raises OSError."""
    if not settings.acme_domains or not settings.acme_agree_tos:
        return 0
    paths, moment = Paths(settings.data), now()
    reason = find_reason(settings, moment)
    if reason is None:
        paths.acme_state.unlink(missing_ok=True)
        return 0
    state = find_state(settings)
    if state and moment < min(state.next_at, state.at + WAITS[-1]):
        return 0
    log.info("asks for a certificate", extra={"reason": reason, "domains": settings.acme_domains})
    failures = state.failures + 1 if state else 1
    _keep(settings, moment, failures, state.fault if state else "")
    fault = await (ask or _ask_child)()
    if fault is None:
        paths.acme_state.unlink(missing_ok=True)
        return 1
    kept = _keep(settings, now(), failures, fault)
    log.error("no certificate", extra={"error": fault, "failures": failures, "next": rfc3339(kept.next_at)})
    return 0


def find_reason(settings: Settings, moment: dt.datetime) -> str | None:
    """Why another one is needed; None when the one that is there will do."""
    path = Paths(settings.data).acme_certificate
    if not path.exists():
        return "there is none yet"
    try:
        pair = pairs.read(path, path)
    except BadPair as fault:
        return str(fault)
    if acme.directory_of(path.read_bytes()) != settings.acme_directory:
        return "it is of another service"
    if set(pair.names) != set(settings.acme_domains):
        return "it is for other names"
    left = pair.ends - moment
    return f"{left.days} days are left" if left <= pair.lifetime / 3 else None


def find_state(settings: Settings) -> State | None:
    """None when nothing has failed, or it was asked with other settings."""
    try:
        state = msgspec.json.decode(Paths(settings.data).acme_state.read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return None
    return state if state.asked == _fingerprint(settings) else None


def find_fault(settings: Settings) -> str | None:
    """Why a newer one is not served: it cannot be used, or the service gave none."""
    state = find_state(settings)
    return record.find(Paths(settings.data)) or (state.fault if state and state.fault else None)


def _keep(settings: Settings, moment: dt.datetime, failures: int, fault: str) -> State:
    wait = WAITS[min(failures, len(WAITS)) - 1]
    if acme.TOO_OFTEN in fault:
        wait = max(wait, LIMITED)
    # Up to a tenth longer: many appliances that a service failed together do not come back together.
    wait *= 1 + int.from_bytes(os.urandom(1), "big") / 2550
    state = State(_fingerprint(settings), failures, moment, moment + wait, fault)
    write_durably(Paths(settings.data).acme_state, msgspec.json.encode(state))
    return state


def _fingerprint(settings: Settings) -> str:
    asked = (settings.acme_directory, settings.acme_email, *settings.acme_domains)
    return sha256(repr(asked).encode()).hexdigest()


async def _ask_child() -> str | None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "appliance.services.acme_child", str(os.getpid()),
        stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            told, _ = await child.communicate()
    except TimeoutError:
        return f"the service did not come to an end within {SECONDS:.0f} s"
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.shield(child.wait())
    if child.returncode == 0:
        return None
    return (
        told.decode(errors="replace").strip()[:2000] or f"the program that asks ended with {child.returncode}"
    )
