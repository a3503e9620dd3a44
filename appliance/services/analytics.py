"""Answers of the lake to those who may see the forms, kept in Redis, never more than a minute old.

An answer is worked out of the lake and of what came since its last run. It is kept under what was asked and
which forms the caller may see; when those change, another one is made. After a minute, or a run of the lake,
it is looked at again: where nothing came since, it stands, for up to a day; else it is worked out anew, by
one process for all. An old one serves when a new one cannot be made: `as_of` says how old it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard
from weakref import WeakValueDictionary

import msgspec
from pymongo.errors import PyMongoError
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from appliance import disk, logs
from appliance.addresses import Paths
from appliance.clock import is_time_zone, rfc3339
from appliance.domain.access import Caller, Level
from appliance.errors import FieldError, Invalid, NotFound, Unavailable
from appliance.services import analytics_questions, background, lake_fresh
from appliance.services.analytics_shapes import (
    LakeRun,
    LakeRuns,
    Queries,
    Query,
    QueryAnswer,
    QueryColumn,
    QueryParameter,
)
from appliance.services.background import Accepted
from appliance.services.context import Context
from appliance.services.forms import visible_state
from appliance.stores import audit, forms, lake_runs
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session, together

if TYPE_CHECKING:
    import pyarrow as pa

    from appliance.analytics.asking import Scope
    from appliance.analytics.named import Named
    from appliance.services.analytics_questions import Details

LIVE = 60.0
"""Seconds that an answer is given out for without looking again."""
DAY = 24 * 3600
_PATIENCE = 0.2
"""Seconds that Redis has."""
_TURN = 15.0
"""Seconds that one process is left to work on an answer before others do too."""
_TRIES = 750
"""In which it looks whether it is at its turn."""
_KEYS = {"daily": "analytics:daily_stats", "activity": "analytics:user_activity"}
TASK = "run_analytics"
_FIRST, _LAST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(9000, 1, 1, tzinfo=dt.UTC)
_AWAY = (RedisError, OSError, TimeoutError)
_STATE = ("response_id", "revision", "status")

log = logs.get(__name__)


class _Kept(msgspec.Struct):
    made_at: float
    as_of: str
    lake: str
    """The run of the lake that it was made of."""
    basis: str
    """The same, with what had come since then."""
    rows: list[dict[str, Any]]

    def answer(self, *, cached: bool) -> QueryAnswer:
        return QueryAnswer(as_of=self.as_of, cached=cached, rows=self.rows)


class Asked(msgspec.Struct):
    """About one form or all that the caller may see, from when and before when; and what a query takes."""

    form_id: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    time_zone: str | None = None
    parameters: dict[str, str] = {}


async def answer(context: Context, caller: Caller, name: str, asked: Asked) -> QueryAnswer:
    """Raises NotFound (query, form), Invalid, Unavailable."""
    query = _named(name)
    scope = await scope_of(context, caller, asked)
    if "activity" in query.reads:
        scope = with_activity(scope, caller)
    details = await analytics_questions.details(context, query, asked.form_id, asked.parameters)
    key = _key(name, scope, details)
    kept = await _read(context, key)
    if _is_good(kept, context):
        return kept.answer(cached=True)
    async with _turn(context, key):
        kept = await _read(context, key)
        if _is_good(kept, context):  # somebody else was at it
            return kept.answer(cached=True)
        try:
            made = await _make(context, query, scope, details, kept)
        except (PyMongoError, Unavailable) as fault:
            if kept is None:
                raise
            log.warning("an old answer serves", extra={"query": name, "error": str(fault)[:200]})
            return kept.answer(cached=True)
        await _write(context, key, made)
    return made.answer(cached=False)


def _named(name: str) -> Named:
    from appliance.analytics import named

    query = named.queries().get(name)
    if query is None:
        raise NotFound(f"There is no such query; there are {', '.join(named.queries())}.")
    return query


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
    if zone is not None and not is_time_zone(zone):
        fault = FieldError("/time_zone", "not a time zone of the IANA database, such as Europe/Berlin")
        raise Invalid("There is no such time zone.", errors=[fault])
    return Scope(seen, _within_reason(asked.start), _within_reason(asked.end), zone or "UTC")


def with_activity(scope: Scope, caller: Caller) -> Scope:
    """What users did: admins see it of all, others of themselves."""
    return scope._replace(users=None if caller.is_admin else [caller.user_id])


def _within_reason(moment: dt.datetime | None) -> dt.datetime | None:
    """Nothing came before; and years 1 and 9999 have no other time zone's day."""
    return None if moment is None else min(max(moment, _FIRST), _LAST)


def _key(name: str, scope: Scope, details: Details) -> str:
    told = msgspec.json.encode((scope, details))
    who = "all" if scope.forms is None else "some"
    return f"{_KEYS.get(name, f'analytics:{name}')}:{who}:{hashlib.sha256(told).hexdigest()[:24]}"


def _is_good(kept: _Kept | None, context: Context) -> TypeGuard[_Kept]:
    return kept is not None and time.time() - kept.made_at < LIVE and kept.lake == _lake_run(context)


def _lake_run(context: Context) -> str:
    """Another one after each run, without a look into the file."""
    try:
        told = (Paths(context.settings.data).lake / "state.json").stat()
    except FileNotFoundError:
        return ""
    return f"{told.st_ino}.{told.st_mtime_ns}"


async def _make(context: Context, query: Named, scope: Scope, details: Details, kept: _Kept | None) -> _Kept:
    import pyarrow as pa

    from appliance.analytics import asking, engine, tables

    run = _lake_run(context)
    try:
        fresh = await lake_fresh.read(context, scope.forms)
    except (OSError, ValueError) as fault:
        raise unreadable(fault) from None
    as_of = fresh.as_of if query.reads.isdisjoint(tables.TABLES) else fresh.lake_as_of
    basis = await asyncio.to_thread(_basis, run, fresh.rows)
    if kept is not None and kept.basis == basis:  # nothing has come since
        return _Kept(time.time(), as_of, run, basis, kept.rows)
    async with _alone(fresh.lake.folder):
        try:
            rows = await asyncio.to_thread(
                asking.ask,
                fresh.lake,
                query.sql,
                scope,
                fresh.rows,
                is_ours=True,
                reads=query.reads,
                asked=details.asked,
                parameters=details.parameters,
            )
        except (engine.TooSlow, engine.TooLarge):
            what = "It needs more time or memory than a query has; ask about fewer forms or days."
            raise Unavailable(what, retry_after=60) from None
        except (engine.Fault, pa.ArrowException, OSError) as fault:
            raise unreadable(fault) from None
    return _Kept(time.time(), as_of, run, basis, rows)


def unreadable(fault: Exception) -> Unavailable:
    """What whoever asks is told; the log has the fault."""
    log.error("the lake cannot be read", extra={"error": str(fault)[:500]})
    what = "The lake cannot be read; its operator is told why by ./scripts/appliance lake verify."
    return Unavailable(what, retry_after=60)


def _basis(run: str, fresh: pa.Table | None) -> str:
    told = "" if fresh is None else sorted(zip(*(fresh[name].to_pylist() for name in _STATE), strict=True))
    return hashlib.sha256(f"{run} {told}".encode()).hexdigest()[:24]


@contextlib.asynccontextmanager
async def _alone(lake: Path) -> AsyncIterator[None]:
    """One query at a time on this machine: each may take 256 MB, and the API has room for one. A process has
    88 MB more once it has asked one. Raises Unavailable.
    """
    folder = lake / ".asking"
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(_TRIES):
        with disk.only_one(folder) as is_alone:
            if is_alone:
                yield
                return
        await asyncio.sleep(_TURN / _TRIES)
    raise Unavailable("Other queries are being worked on; try again.")


# -- one works on an answer at a time, in this process and among all

_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


@contextlib.asynccontextmanager
async def _turn(context: Context, key: str) -> AsyncIterator[None]:
    """Without Redis, each process has its own."""
    mine = _turns.setdefault(key, asyncio.Lock())
    async with mine:
        lock = context.redis.lock(f"{key}:turn", timeout=_TURN)
        taken = False
        for _ in range(_TRIES):
            if taken := await _take(lock):
                break
            await asyncio.sleep(_TURN / _TRIES)
        try:
            yield
        finally:
            if taken:
                with contextlib.suppress(*_AWAY, LockError):
                    await asyncio.wait_for(lock.release(), _PATIENCE)


async def _take(lock: Lock) -> bool:
    try:
        return bool(await asyncio.wait_for(lock.acquire(blocking=False), _PATIENCE))
    except _AWAY:
        return True


async def _read(context: Context, key: str) -> _Kept | None:
    try:
        raw = await asyncio.wait_for(context.redis.get(key), _PATIENCE)
        return msgspec.json.decode(raw, type=_Kept) if raw else None
    except (*_AWAY, msgspec.DecodeError):
        return None


async def _write(context: Context, key: str, made: _Kept) -> None:
    try:
        await asyncio.wait_for(context.redis.set(key, msgspec.json.encode(made), ex=DAY), _PATIENCE)
    except _AWAY as fault:
        log.warning("an answer could not be kept", extra={"error": str(fault)[:200]})


def columns_of(name: str) -> list[str]:
    """Of a named query. Raises NotFound."""
    return [one.name for one in _named(name).columns]


def queries() -> Queries:
    from appliance.analytics import named

    return Queries(
        [
            Query(
                one.name,
                one.help,
                [
                    QueryParameter(each.name, each.help, list(each.takes), each.default)
                    for each in one.parameters
                ],
                [QueryColumn(*column) for column in one.columns],
            )
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
