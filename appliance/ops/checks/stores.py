"""The two servers that hold what is stored: whether they keep it as they should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from appliance.ops.findings import Fault, Situation, check

_SHOWN: Final = 5


@check("indexes", "the database has every index", needs_running=True)
def indexes(situation: Situation) -> Iterator[Fault]:
    faults = situation.seen.indexes or []
    if not faults:
        return
    more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    told = "; ".join(faults[:_SHOWN]) + more
    wrong = [fault for fault in faults if not fault.endswith(" is missing")]
    mend = "./scripts/appliance reload, which makes what is missing"
    if wrong:
        name = wrong[0].partition(" ")[0]
        mend = f"drop it, in a MongoDB shell: db.{_drop(name)}; then {mend}"
    yield (
        "error",
        f"of the database's indexes {told}: what must be unique may come twice",
        mend,
    )


def _drop(name: str) -> str:
    collection, _, index = name.partition(".")
    return f"{collection}.dropIndex({index!r})"


@check("redis", "Redis keeps what it is given", needs_running=True)
def redis(situation: Situation) -> Iterator[Fault]:
    """Tasks live there until they are done; what it may throw away or has not written, the outbox sends again
    only after seconds, and results are gone."""
    told = situation.seen.redis
    if told is None:
        return
    server = "Redis" if situation.settings.redis_uri is None else "the Redis of REDIS_URL"
    logs = "./scripts/appliance logs redis"
    if not told.get("aof_enabled"):
        yield (
            "warning",
            f"{server} does not write what it is given to disk (appendonly no): its end loses waiting tasks",
            _mend(situation, "appendonly yes"),
        )
    elif told.get("aof_last_write_status", "ok") != "ok":
        yield (
            "error",
            f"{server} cannot write to {situation.paths.redis}: it refuses what is new",
            f"df -h '{situation.paths.redis}'; {logs}",
        )
    elif told.get("aof_last_bgrewrite_status", "ok") != "ok":
        yield (
            "warning",
            f"{server} could not shorten its log in {situation.paths.redis}, which grows",
            f"df -h '{situation.paths.redis}'; {logs}",
        )
    policy = str(told.get("maxmemory_policy", ""))
    if policy.startswith("allkeys"):
        yield (
            "error",
            f"{server} may throw away waiting tasks when its memory is full (maxmemory-policy {policy})",
            _mend(situation, "maxmemory-policy volatile-ttl"),
        )


def _mend(situation: Situation, line: str) -> str:
    if situation.settings.redis_uri is None:
        return f"./scripts/supervisorctl restart redis, which configures it anew ({line})"
    return f"there: CONFIG SET {line}"
