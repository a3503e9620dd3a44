"""What an admin may see and do of the machine by the API: findings, logs, restarts, secrets, certificates.

Each deed is in the audit log before it is done, as what was asked for: what came of it the caller is told.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from appliance.addresses import Paths
from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller
from appliance.errors import BadRequest, Conflict, NotFound, Unavailable
from appliance.known_secrets import NAMES
from appliance.services import certificates, operator_child
from appliance.services import system_shapes as shapes
from appliance.services.context import Context
from appliance.settings import Settings
from appliance.stores import audit, pauses, programs
from appliance.tls import sources, trust

_SEVERITIES: Final[tuple[shapes.Severity, ...]] = ("ok", "warning", "error")


async def findings() -> shapes.SystemFindings:
    """What doctor finds, as this program's user may look. Raises TooMany, Unavailable."""
    told = await operator_child.look("doctor")
    found = msgspec.convert(told.answer, list[shapes.SystemFinding])
    worst = max((each.severity for each in found), key=_SEVERITIES.index)
    return shapes.SystemFindings(as_of=rfc3339(utc_now()), severity=worst, findings=found)


async def logs(
    program: str | None, level: str | None, since: str, request_id: str | None, limit: int
) -> shapes.LogLines:
    """The newest lines. Raises BadRequest, TooMany, Unavailable."""
    told = await operator_child.look(
        "logs", program=program, level=level, since=since, request_id=request_id, limit=limit
    )
    if told.refused is not None:
        raise BadRequest(told.refused.removeprefix("--"))
    return shapes.LogLines(msgspec.convert(told.answer, list[shapes.LogLine]))


async def restart(context: Context, caller: Caller, name: str) -> shapes.RestartedService:
    """Raises NotFound; Conflict for what would cut the answer, or stays off; TooMany."""
    known = await asyncio.to_thread(programs.list_all, Paths(context.settings.data))
    if name not in {each.name for each in known}:
        raise NotFound("There is no such program; GET /api/v1/system lists all.")
    if name == "nginx" or name.startswith("api-"):
        why = f"{name} is on the way of this answer, which its restart would cut off"
        raise Conflict(f"{why}; next, on the machine: ./scripts/supervisorctl restart {name}")
    await pauses.record(context.db, audit.Entry(caller.user_id, "service.restart_asked", name, {}))
    told = await operator_child.act("restart", name=name)
    if told is None:
        return shapes.RestartedService(name=name, state="restarting", pid=None)
    if told.refused is not None:
        raise Conflict(told.refused)
    return msgspec.convert(told.answer, shapes.RestartedService)


async def secrets() -> shapes.SystemSecrets:
    """Raises TooMany, Unavailable."""
    told = await operator_child.look("secrets")
    if told.refused is not None:
        raise Unavailable(told.refused)
    return shapes.SystemSecrets(msgspec.convert(told.answer, list[shapes.SystemSecret]))


async def rotate(context: Context, caller: Caller, name: str) -> shapes.RotatedSecret:
    """Raises NotFound; Conflict for what comes from outside or takes a reload; TooMany, Unavailable."""
    if name not in NAMES:
        raise NotFound(f"There is no such secret; there are {', '.join(sorted(NAMES))}.")
    await pauses.record(context.db, audit.Entry(caller.user_id, "secret.rotation_asked", name, {}))
    told = await operator_child.act("rotate", name=name)
    if told is None:
        raise Unavailable("It goes on; ask GET /api/v1/system/secrets what became of it.", retry_after=10)
    if told.refused is not None:
        raise Conflict(told.refused)
    return shapes.RotatedSecret(name, msgspec.convert(told.answer, list[str]))


async def served(settings: Settings) -> shapes.SystemCertificates:
    return shapes.SystemCertificates(await asyncio.to_thread(_served, settings))


def _served(settings: Settings) -> list[shapes.SystemCertificate]:
    paths = Paths(settings.data)
    if (found := sources.read(paths)) is None:
        return []
    state = certificates.find_state(settings)
    return [
        shapes.SystemCertificate(
            kind=found.kind,
            names=list(found.pair.names),
            begins_at=rfc3339(found.pair.begins),
            expires_at=rfc3339(found.pair.ends),
            untrusted=trust.find_doubt(paths.served),
            fault=certificates.find_fault(settings),
            next_attempt_at=rfc3339(state.next_at) if state else None,
        )
    ]
