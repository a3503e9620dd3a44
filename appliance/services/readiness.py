"""Is it ready: what the door depends on, asked now; and making it so."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

import pymongo
from msgspec import Struct
from pymongo.errors import OperationFailure, PyMongoError
from redis.exceptions import RedisError

from appliance import levels, logs, processes
from appliance.services import accounts, admin_password
from appliance.services.context import Context
from appliance.stores import applied, mongo

_ASK = 2.0
"""Seconds that a dependency has to answer."""
_AGAIN = 0.5
_LEVEL_AGAIN = 10.0

log = logs.get(__name__)


class Dependency(Struct, kw_only=True, omit_defaults=True):
    status: Literal["up", "down"]
    latency: float | None = None
    """Seconds."""
    detail: str | None = None


class Readiness(Struct, kw_only=True, omit_defaults=True):
    """`degraded` serves: without Redis, reads go uncached and tasks wait; without disk, only reads go on."""

    status: Literal["ready", "degraded", "unavailable"]
    dependencies: dict[str, Dependency]
    detail: str | None = None


async def check(context: Context) -> Readiness:
    database, redis = await asyncio.gather(_database(context), _redis(context))
    disk = _disk(context)
    if database.status == "down" or not context.prepared:
        status: Literal["ready", "degraded", "unavailable"] = "unavailable"
    else:
        status = "ready" if redis.status == disk.status == "up" else "degraded"
    detail = None if context.prepared else "indexes and the first account are being made"
    dependencies = {"mongodb": database, "redis": redis, "disk": disk}
    return Readiness(status=status, dependencies=dependencies, detail=detail)


async def prepare(context: Context) -> None:
    """Create indexes and the first account as soon as the database can be reached; then return."""
    while not context.prepared:
        try:
            if (fault := await level_fault(context)) is not None:
                log.error("the database is not of this code's level", extra={"error": fault})
                await asyncio.sleep(_LEVEL_AGAIN)
                continue
            with pymongo.timeout(mongo.BUILDING):
                await mongo.prepare(context.db)
            if await accounts.ensure_admin(context, context.settings):
                log.info("created the first account", extra={"username": accounts.ADMIN})
            await admin_password.settle(context)
            await admin_password.forget_erased(context)
            processes.give_back_memory()  # what was taken to hash the first account's password
            context.prepared = True
        except PyMongoError as fault:
            log.warning("the database is not ready", extra={"error": str(fault)[:200]})
            await asyncio.sleep(_AGAIN)


async def level_fault(context: Context) -> str | None:
    """`up` has seen to it; but not when a database elsewhere was away then, or was changed since."""
    level, known = await applied.adopt(context.db), levels.of_code()
    if level == known:
        return None
    return f"the data is of level {level}, this code of {known}; next: start the appliance anew"


async def _database(context: Context) -> Dependency:
    """By a read: the embedded server still answers `ping` when its storage has failed for good."""
    started = time.perf_counter()
    try:
        with pymongo.timeout(_ASK):
            await context.db.durable.find_one({"_id": "transactions"})
    except OperationFailure as fault:
        return Dependency(
            status="down", detail=f"fails ({(fault.details or {}).get('codeName', fault.code)})"
        )
    except PyMongoError:
        return Dependency(status="down", detail="does not answer")
    return Dependency(status="up", latency=round(time.perf_counter() - started, 4))


async def _redis(context: Context) -> Dependency:
    started = time.perf_counter()
    try:
        await asyncio.wait_for(_ping(context), _ASK)
    except (RedisError, OSError, TimeoutError):
        return Dependency(status="down", detail="does not answer")
    return Dependency(status="up", latency=round(time.perf_counter() - started, 4))


def _disk(context: Context) -> Dependency:
    try:
        if context.space.is_short():
            return Dependency(
                status="down", detail=f"nearly full: {context.space.free // 2**20} MiB are free"
            )
    except OSError as fault:
        return Dependency(status="down", detail=fault.strerror)
    return Dependency(status="up")


async def _ping(context: Context) -> None:
    await context.redis.ping()
