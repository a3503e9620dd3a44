"""Alertmanager's API (v2) on this machine, for all who know its password: the API, the scheduler, the
guardian, commands. Each call may take `SECONDS`, or as long as is said by `within`; what runs an event loop
calls it in a thread.
"""

from __future__ import annotations

import contextlib
import contextvars
import datetime as dt
import http.client
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from appliance import addresses
from appliance.addresses import Paths
from appliance.clock import rfc3339
from appliance.errors import CannotStart
from appliance.own_alerts import USER
from appliance.settings import Settings

SECONDS: Final = 5.0
BYTES: Final = 64 * 1024 * 1024
"""Of an answer: 10,000 alerts are some 10 MiB."""
T = TypeVar("T")
_seconds: contextvars.ContextVar[float] = contextvars.ContextVar("alertmanager_seconds", default=SECONDS)


class Away(Exception):
    """It is off, does not answer, or refuses: in words for an operator."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is asked in the body, and in threads that it begins, may take so long, each."""
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


class Status(msgspec.Struct):
    state: str
    """`active`, or `suppressed` by a silence or another alert."""
    silencedBy: list[str] = []  # noqa: N815 - its name
    inhibitedBy: list[str] = []  # noqa: N815


class Alert(msgspec.Struct):
    """One that fires."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: dt.datetime  # noqa: N815
    status: Status


class SilenceStatus(msgspec.Struct):
    state: str


class Silence(msgspec.Struct):
    id: str
    status: SilenceStatus
    createdBy: str  # noqa: N815
    comment: str
    startsAt: dt.datetime  # noqa: N815
    endsAt: dt.datetime  # noqa: N815


class World(msgspec.Struct):
    """What it knows at a moment."""

    alerts: list[Alert]
    silences: list[Silence]
    """Ours, that hold."""
    up_since: dt.datetime


class _About(msgspec.Struct):
    uptime: dt.datetime


class _Made(msgspec.Struct):
    silenceID: str  # noqa: N815


def cut(moment: dt.datetime) -> dt.datetime:
    """To whole milliseconds: its webhooks tell nanoseconds, its API does not."""
    try:
        moment = moment.astimezone(dt.UTC)
    except OverflowError:  # before the year 1 or after 9999 there
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def alerts(settings: Settings) -> list[Alert]:
    """All that fire, those that are kept quiet too. Raises Away."""
    return _ask(settings, "GET", "/api/v2/alerts", None, list[Alert])


def look(settings: Settings) -> World:
    """Raises Away."""
    found = _ask(settings, "GET", "/api/v2/silences", None, list[Silence])
    ours = [each for each in found if each.createdBy == USER and each.status.state != "expired"]
    about = _ask(settings, "GET", "/api/v2/status", None, _About)
    return World(alerts(settings), ours, about.uptime)


def post(settings: Settings, told: Sequence[Mapping[str, Any]]) -> None:
    """Alerts as it takes them: `labels`, `annotations`, `startsAt`, `endsAt`. Raises Away."""
    if told:
        _ask(settings, "POST", "/api/v2/alerts", told, type(None))


def silence(
    settings: Settings,
    labels: Mapping[str, str],
    until: dt.datetime,
    comment: str,
    known: str | None = None,
    since: dt.datetime | None = None,
) -> str:
    """Keep quiet exactly what has these labels; the silence's id.

    It is that of `known` if that holds `since` then and is prolonged; else it takes the place of `known`.
    Raises Away.
    """
    matchers = [
        {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in labels.items()
    ]
    body = {
        **({"id": known} if known else {}),
        "matchers": matchers,
        "startsAt": rfc3339(since or dt.datetime.now(dt.UTC)),
        "endsAt": rfc3339(until),
        "createdBy": USER,
        "comment": comment,
    }
    return _ask(settings, "POST", "/api/v2/silences", body, _Made).silenceID


def end_silence(settings: Settings, silence_id: str) -> None:
    """It may have ended already, or be unknown. Raises Away."""
    status, body = _send(settings, "DELETE", f"/api/v2/silence/{silence_id}", None)
    if status >= 400 and status != 404 and b"expired" not in body and b"not found" not in body:
        raise Away(f"Alertmanager answers {status}")


def counts(settings: Settings) -> dict[tuple[str, str], float]:
    """Requests to each kind of receiver since its start, by ("sent" or "failed", "email") and the like.

    Raises Away.
    """
    status, body = _send(settings, "GET", "/metrics", None)
    if status != 200:
        raise Away(f"Alertmanager answers {status}")
    lines = re.findall(
        r'^alertmanager_notification_requests_(failed_)?total\{integration="(\w+)"\} (\S+)$',
        body.decode(),
        re.MULTILINE,
    )
    return {("failed" if failed else "sent", kind): float(value) for failed, kind, value in lines}


def _ask(settings: Settings, method: str, path: str, body: Any, shape: type[T]) -> T:
    status, answer = _send(settings, method, path, body)
    if status != 200:
        raise Away(f"Alertmanager answers {status}: {answer[:200].decode(errors='replace').strip()}")
    try:
        return msgspec.json.decode(answer or b"null", type=shape)
    except msgspec.DecodeError as fault:
        raise Away(f"Alertmanager's answer cannot be read: {fault}") from None


def _send(settings: Settings, method: str, path: str, body: Any) -> tuple[int, bytes]:
    if not settings.monitoring:
        raise Away("Monitoring is off: APPLIANCE_MONITORING")
    try:
        password = addresses.read_line(Paths(settings.data).alertmanager_password)
    except CannotStart as fault:
        raise Away(str(fault)) from None
    headers = {"authorization": "Basic " + b64encode(f"{USER}:{password}".encode()).decode()}
    content = None
    if body is not None:
        content, headers["content-type"] = msgspec.json.encode(body), "application/json"
    port = addresses.inner_port(settings, "alertmanager")
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=_seconds.get())
    try:
        line.request(method, path, content, headers)
        answer = line.getresponse()
        return answer.status, answer.read(BYTES)
    except (OSError, http.client.HTTPException) as fault:
        raise Away(f"Alertmanager does not answer ({type(fault).__name__})") from None
    finally:
        line.close()
