"""What the engine knows of its tasks and queues, for those who only look. All raises RedisError."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import msgspec
from redis.asyncio import Redis

from appliance.queue.engine import PREFIX
from appliance.queue.routes import QUEUES
from appliance.queue.states import State

_CHUNK = 100
_MINUTES = 5
"""Whole minutes that a queue's rate is the mean of."""


class Known(NamedTuple):
    """A task as the engine has it. Times are milliseconds since 1970; None is not yet."""

    id: str
    name: str
    queue: str
    state: State
    arguments: dict[str, Any]
    origin: str
    owner: str
    attempts: int
    created: int
    started: int | None
    finished: int | None
    due: int | None
    execution: int | None
    """Milliseconds that the last attempt took."""
    progress: list[Any] | None
    result: Any
    error: str

    @property
    def is_over(self) -> bool:
        return self.state in ("completed", "failed", "cancelled")


class Queue(NamedTuple):
    name: str
    depth: int
    """Tasks that could begin."""
    oldest: int | None
    """Milliseconds since 1970 at which the oldest of them was put there."""
    running: int
    is_paused: bool
    rate: float
    """Tasks that ended a second, over the last five whole minutes."""


class Slice(NamedTuple):
    """Part of all tasks, the newest first."""

    tasks: list[tuple[int, Known]]
    """With the numbers they were given out in."""
    lowest: int | None
    """The lowest number that was looked at; None when there is nothing below."""


async def find(redis: Redis, task_id: str) -> Known | None:
    return _known(task_id, await cast(Any, redis).hgetall(_key(task_id)))


async def newest(redis: Redis, below: int | None, count: int) -> Slice:
    """The next `count` tasks with a number below (None: the newest), as far as they are still known."""
    most = "+inf" if below is None else f"({below}"
    found: list[tuple[bytes, float]] = await cast(Any, redis).zrevrangebyscore(
        f"{PREFIX}index", most, "-inf", start=0, num=count, withscores=True
    )
    pairs = [(int(number), task_id.decode()) for task_id, number in found]
    tasks: list[tuple[int, Known]] = []
    for first in range(0, len(pairs), _CHUNK):
        part = pairs[first : first + _CHUNK]
        async with redis.pipeline(transaction=False) as pipe:
            for _, task_id in part:
                pipe.hgetall(_key(task_id))
            rows = await pipe.execute()
        known = [(number, _known(task_id, row)) for (number, task_id), row in zip(part, rows, strict=True)]
        tasks += [(number, task) for number, task in known if task is not None]
    return Slice(tasks, pairs[-1][0] if len(pairs) == count else None)


async def queues(redis: Redis) -> list[Queue]:
    async with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.smembers(f"{PREFIX}paused")
        for queue in QUEUES:
            pipe.llen(f"{PREFIX}list:{queue}")
            pipe.lindex(f"{PREFIX}list:{queue}", -1)
            pipe.zcard(f"{PREFIX}leases:{queue}")
            pipe.hgetall(f"{PREFIX}rate:{queue}")
        (seconds, _), paused, *rest = await pipe.execute()
    found = []
    for place, queue in enumerate(QUEUES):
        depth, oldest, running, ended = rest[4 * place : 4 * place + 4]
        ready = await cast(Any, redis).hget(_key(oldest.decode()), "ready") if oldest else None
        rate = _rate(ended, seconds // 60)
        found.append(Queue(queue, depth, _number(ready), running, queue.encode() in paused, rate))
    return found


async def running(redis: Redis) -> list[Known]:
    """Tasks that somebody works on now."""
    found: list[Known] = []
    for queue in QUEUES:
        for task_id in await cast(Any, redis).zrange(f"{PREFIX}leases:{queue}", 0, -1):
            task = await find(redis, task_id.decode())
            found += [task] if task is not None else []
    return found


async def due_later(redis: Redis) -> int:
    """Tasks that are scheduled, or wait for their next try."""
    return int(await cast(Any, redis).zcard(f"{PREFIX}due"))


def _rate(ended: dict[bytes, bytes], minute: int) -> float:
    total = sum(int(ended.get(str(each).encode(), 0)) for each in range(minute - _MINUTES, minute))
    return total / (_MINUTES * 60)


def _key(task_id: str) -> str:
    return f"{PREFIX}task:{task_id}"


def _known(task_id: str, row: dict[bytes, bytes]) -> Known | None:
    if b"state" not in row:
        return None
    text = text_of(row)
    return Known(
        id=task_id,
        name=text["name"],
        queue=text["queue"],
        state=cast(State, text["state"]),
        arguments=arguments_of(text["arguments"]),
        origin=text["origin"],
        owner=text["owner"],
        attempts=int(text["attempts"]),
        created=int(text["created"]),
        started=_number(text.get("started")),
        finished=_number(text.get("finished")),
        due=_number(text.get("due")) if text["state"] in ("scheduled", "retrying") else None,
        execution=_number(text.get("execution")),
        progress=msgspec.json.decode(text["progress"]) if "progress" in text else None,
        result=msgspec.json.decode(text["result"]) if "result" in text else None,
        error=text.get("error", ""),
    )


def text_of(row: dict[bytes, bytes]) -> dict[str, str]:
    """A task's hash, whatever somebody put there."""
    return {name.decode(): value.decode(errors="replace") for name, value in row.items()}


def arguments_of(text: str) -> dict[str, Any]:
    """Empty when they are no JSON object: such a task fails, and says so in its error."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except ValueError:
        return {}


def _number(text: str | bytes | None) -> int | None:
    return None if text is None else int(float(text))
