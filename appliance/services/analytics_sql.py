"""Statements that analysts write: judged and asked by a child process that can be killed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from appliance.domain.access import Caller
from appliance.errors import FieldError, Forbidden, Invalid
from appliance.services import analytics, children, lake_fresh
from appliance.services.analytics import Asked
from appliance.services.analytics_shapes import AskSql
from appliance.services.context import Context
from appliance.services.sql_child import Form, Question, Told

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 10_000
"""Sent at most."""
SECONDS = 10.0
"""That a statement may take."""
_GRACE = 4.0
"""More that the child has to begin, to judge and to write down what it found, before it is killed."""
_CHILD = "appliance.services.sql_child"
_PATIENCE = 3.0
"""All together less than the 20 s that nginx waits for an answer."""
_slots = asyncio.Semaphore(1)


class Found(NamedTuple):
    as_of: str
    is_whole: bool
    """False when there are more rows than are sent."""
    body: bytes
    """The rows in the form that was asked for."""


async def ask(context: Context, caller: Caller, asked: AskSql, form: Form) -> Found:
    """Raises Forbidden, Invalid, Unavailable."""
    if caller.roles.isdisjoint({"admin", "analyst"}):
        raise Forbidden("Analysts and admins may write statements; the named queries are for everybody.")
    scope = await analytics.scope_of(context, caller, Asked(time_zone=asked.time_zone))
    scope = analytics.with_activity(scope, caller)
    try:
        fresh = await lake_fresh.read(context, scope.forms)
    except (OSError, ValueError) as fault:
        raise analytics.unreadable(fault) from None
    question = Question(str(fresh.lake.folder), asked.sql, scope, SECONDS, ROWS, form)
    sent = msgspec.json.encode(question) + b"\n" + _stream(fresh.rows)
    async with children.Turn(_slots, _PATIENCE, "Another statement is being worked on; try again."):
        told, body = await _answer(sent)
    return Found(fresh.as_of, told.is_whole, body)


async def _answer(sent: bytes) -> tuple[Told, bytes]:
    try:
        raw = await asyncio.wait_for(children.ask(_CHILD, sent), SECONDS + _GRACE)
    except TimeoutError:
        raise _refused(f"It needed longer than {SECONDS:g} s.") from None
    if raw is None:
        raise _refused(f"It needs more memory, or more than the {SECONDS:g} s, that a statement may have.")
    head, _, body = raw.partition(b"\n")
    told = msgspec.json.decode(head, type=Told)
    if told.fault is not None:
        raise _refused(told.fault)
    return told, body


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
