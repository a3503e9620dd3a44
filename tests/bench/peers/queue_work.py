"""What every queue's tasks do, and what is sent to all of them alike, in the environment that each needs.

`drive SEND` is the caller's side: `fill N` puts N tasks that do nothing between two marks, `starts N` sends
one task at a time to an idle worker, `stall` sends one that has to be killed.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from redis import Redis

SOCKET = os.environ.get("QUEUE_SOCKET", "")
Send = Callable[..., Any]

_redis: dict[int, Any] = {}


def redis() -> Any:
    """A connection of this process to database 1; the queues have 0."""
    pid = os.getpid()
    if pid not in _redis:
        _redis[pid] = Redis(unix_socket_path=SOCKET, db=1, decode_responses=True)
    return _redis[pid]


def noop() -> None:
    """Nothing."""


def mark(key: str) -> None:
    redis().set(key, time.monotonic())


def start(sent: float) -> None:
    redis().rpush("starts", time.monotonic() - sent)


def stall() -> None:
    redis().rpush("begun", f"{os.getpid()} {time.monotonic()}")
    if redis().llen("begun") == 1:
        time.sleep(600)


def drive(send: Send) -> None:
    """`send(name, *arguments)` enqueues one of the tasks above."""
    what, *more = sys.argv[1:]
    ways: dict[str, Callable[..., None]] = {"fill": _fill, "starts": _starts, "stall": _stall}
    ways[what](send, *map(int, more))


def _fill(send: Send, count: int) -> None:
    send("mark", "first")
    for _ in range(count):
        send("noop")
    send("mark", "last")


def _starts(send: Send, count: int) -> None:
    for _ in range(count):
        time.sleep(0.005 + random.random() * 0.02)  # whatever polls must not meet us in step
        send("start", time.monotonic())
        _, took = redis().blpop("starts")
        redis().rpush("took", took)


def _stall(send: Send) -> None:
    send("stall")
