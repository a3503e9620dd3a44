"""Statements that analysts write: checked, then asked by a child process that can be killed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from appliance.domain.access import Caller
from appliance.errors import FieldError, Forbidden, Invalid
from appliance.services import analytics, children, lake_fresh
from appliance.services.analytics import Asked
from appliance.services.analytics_shapes import AskSql, SqlAnswer
from appliance.services.context import Context
from appliance.services.sql_child import Question

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 10_000
"""Sent at most."""
SECONDS = 10.0
"""That a statement may take."""
_CHILD = "appliance.services.sql_child"
_PATIENCE = 5.0
_slots = asyncio.Semaphore(1)


async def ask(context: Context, caller: Caller, asked: AskSql) -> SqlAnswer:
    """Raises Forbidden, Invalid, Unavailable."""
    from appliance.analytics import sql_check

    if caller.roles.isdisjoint({"admin", "analyst"}):
        raise Forbidden("Analysts and admins may write statements; the named queries are for everybody.")
    try:
        await asyncio.to_thread(sql_check.check, asked.sql)
    except sql_check.NotAllowed as fault:
        raise _refused(str(fault)) from None
    scope = await analytics.scope_of(context, caller, Asked(time_zone=asked.time_zone))
    as_of, lake, fresh = await lake_fresh.read(context, scope.forms)
    forms = None if scope.forms is None else list(scope.forms)
    question = Question(str(lake.folder), asked.sql, forms, asked.time_zone, SECONDS, ROWS)
    sent = msgspec.json.encode(question) + b"\n" + _stream(fresh)
    async with children.Turn(_slots, _PATIENCE, "Another statement is being worked on; try again."):
        told = await _answer(sent)
    return SqlAnswer(as_of=as_of, is_whole=told["is_whole"], rows=told["rows"])


async def _answer(sent: bytes) -> dict[str, Any]:
    try:
        raw = await asyncio.wait_for(children.ask(_CHILD, sent), SECONDS + 5)
    except TimeoutError:
        raw = None
    if raw is None:
        raise _refused(f"It needs more memory, or more than the {SECONDS:g} s, that a statement may have.")
    told: dict[str, Any] = msgspec.json.decode(raw)
    if "fault" in told:
        raise _refused(told["fault"])
    return told


def _refused(fault: str) -> Invalid:
    return Invalid("The statement cannot be asked.", errors=[FieldError("/sql", fault)])


def _stream(fresh: pa.Table | None) -> bytes:
    import pyarrow as pa

    if fresh is None:
        return b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, fresh.schema) as writer:
        writer.write_table(fresh)
    return bytes(sink.getvalue())
