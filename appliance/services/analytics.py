"""Answers of the lake to those who may see the forms, kept in Redis, never more than a minute old.

An answer is worked out of the lake and of what came since its last run. It is kept under what was asked and
which forms the caller may see; when those change, another one is made. For a day an old one stays, and serves
when a new one cannot be made: `as_of` says how old it is.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import time
import zoneinfo
from typing import TYPE_CHECKING, Any

import msgspec
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from appliance import logs
from appliance.clock import rfc3339
from appliance.domain.access import Caller, Level
from appliance.errors import FieldError, Invalid, NotFound, Unavailable
from appliance.services import background, lake_fresh
from appliance.services.analytics_shapes import LakeRun, LakeRuns, Queries, Query, QueryAnswer, QueryColumn
from appliance.services.background import Accepted
from appliance.services.context import Context
from appliance.services.forms import visible_state
from appliance.stores import audit, forms, lake_runs
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session, together

if TYPE_CHECKING:
    from appliance.analytics.asking import Scope

LIVE = 60.0
"""Seconds that an answer is given out for without looking again."""
DAY = 24 * 3600
_PATIENCE = 0.2
"""Seconds that Redis has."""
_KEYS = {"daily": "analytics:daily_stats", "activity": "analytics:user_activity"}
TASK = "run_analytics"

log = logs.get(__name__)


class _Kept(msgspec.Struct):
    made_at: float
    as_of: str
    rows: list[dict[str, Any]]

    def answer(self, *, cached: bool) -> QueryAnswer:
        return QueryAnswer(as_of=self.as_of, cached=cached, rows=self.rows)


class Asked(msgspec.Struct):
    """About one form or all that the caller may see, from when and before when."""

    form_id: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    time_zone: str | None = None


async def answer(context: Context, caller: Caller, name: str, asked: Asked) -> QueryAnswer:
    """Raises NotFound (query, form), Invalid, Unavailable."""
    from appliance.analytics import named

    query = named.queries().get(name)
    if query is None:
        raise NotFound(f"There is no such query; there are {', '.join(named.queries())}.")
    scope = await scope_of(context, caller, asked)
    key = _key(name, scope)
    kept = await _read(context, key)
    if kept is not None and time.time() - kept.made_at < LIVE:
        return kept.answer(cached=True)
    turn = _turns.setdefault(key, asyncio.Lock())
    if kept is not None and turn.locked():  # somebody is at it
        return kept.answer(cached=True)
    try:
        async with turn:
            made = await _make(context, query.sql, scope)
    except (PyMongoError, Unavailable) as fault:
        if kept is None:
            raise
        log.warning("an old answer serves", extra={"query": name, "error": str(fault)[:200]})
        return kept.answer(cached=True)
    finally:
        if not turn.locked():
            _turns.pop(key, None)
    await _write(context, key, made)
    return made.answer(cached=False)


_turns: dict[str, asyncio.Lock] = {}
_at_once = asyncio.Semaphore(1)
"""Queries that a process works on: each may take its memory."""


async def scope_of(context: Context, caller: Caller, asked: Asked) -> Scope:
    """What of it the caller may see. Raises NotFound, Invalid."""
    from appliance.analytics.asking import Scope

    zone = asked.time_zone
    if asked.form_id is not None:
        form = await visible_state(context, caller, asked.form_id, Level.VIEW)
        zone = zone or form["settings"].get("time_zone")
        seen: list[str] | None = [asked.form_id]
    elif caller.is_admin:
        seen = None
    else:
        rows = await context.db.forms.find(forms.visible(caller), {"_id": 1}).to_list()
        seen = sorted(str(row["_id"]) for row in rows)
    if zone is not None and zone not in zoneinfo.available_timezones():
        fault = FieldError("/time_zone", "not a time zone of the IANA database, such as Europe/Berlin")
        raise Invalid("There is no such time zone.", errors=[fault])
    return Scope(seen, asked.start, asked.end, zone or "UTC")


def _key(name: str, scope: Scope) -> str:
    told = msgspec.json.encode(scope)
    who = "all" if scope.forms is None else "some"
    return f"{_KEYS.get(name, f'analytics:{name}')}:{who}:{hashlib.sha256(told).hexdigest()[:24]}"


async def _make(context: Context, sql: str, scope: Scope) -> _Kept:
    from appliance.analytics import asking, engine

    as_of, lake, fresh = await lake_fresh.read(context, scope.forms)
    async with _at_once:
        try:
            rows = await asyncio.to_thread(asking.ask, lake, sql, scope, fresh)
        except engine.TooSlow as fault:
            raise Unavailable(f"{fault} Ask about fewer forms or days.", retry_after=60) from None
    return _Kept(time.time(), as_of, rows)


async def _read(context: Context, key: str) -> _Kept | None:
    try:
        raw = await asyncio.wait_for(context.redis.get(key), _PATIENCE)
        return msgspec.json.decode(raw, type=_Kept) if raw else None
    except (RedisError, OSError, TimeoutError, msgspec.DecodeError):
        return None


async def _write(context: Context, key: str, made: _Kept) -> None:
    try:
        await asyncio.wait_for(context.redis.set(key, msgspec.json.encode(made), ex=DAY), _PATIENCE)
    except (RedisError, OSError, TimeoutError) as fault:
        log.warning("an answer could not be kept", extra={"error": str(fault)[:200]})


def queries() -> Queries:
    from appliance.analytics import named

    return Queries(
        [
            Query(one.name, one.help, [QueryColumn(*column) for column in one.columns])
            for one in named.queries().values()
        ]
    )


async def run(context: Context, caller: Caller) -> Accepted:
    """Have the lake brought up to date."""
    made: list[Any] = []

    async def write(session: Session) -> None:
        made[:] = [await background.promise(context, session, caller, TASK, {})]
        await audit.record(context.db, session, audit.Entry(caller.user_id, "analytics.run", TASK, {}))

    await together(context.db, write)
    return background.begin(context, made[0])


async def runs(context: Context, limit: int) -> LakeRuns:
    return LakeRuns([_run(row) for row in await lake_runs.newest(context.db, limit)])


def _run(row: Document) -> LakeRun:
    return LakeRun(
        run_id=row["_id"],
        state=row["state"],
        asked_at=rfc3339(row["asked_at"]),
        begun_at=rfc3339(row["begun_at"]) if row["begun_at"] else None,
        ended_at=rfc3339(row["ended_at"]) if row["ended_at"] else None,
        done=row["done"],
        total=row["total"],
        result=row["result"],
        error=row["error"],
    )
