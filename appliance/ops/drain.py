"""`appliance drain`: the door closes, queues begin nothing more, and what is under way may end.

    door closed ──▶ queues paused ──▶ no request in flight, no task running ──▶ it may be stopped

What the scheduler does by itself (backups, the lake) is neither: a stop ends it, and it begins anew.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from appliance import nginx_status
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import draining, inside, maintenance, parent
from appliance.queue import status
from appliance.services import queues
from appliance.services.context import Context
from appliance.services.tasks import redis_needed

TIMEOUT = 300
_LOOK = 0.5
_TOLD_EACH = 5.0


class Left(NamedTuple):
    """What is still under way."""

    requests: int
    tasks: list[str]
    """Name and id of each."""

    def __str__(self) -> str:
        told = [f"{self.requests} request{'s' * (self.requests != 1)} in flight"] if self.requests else []
        if self.tasks:
            told.append(f"{len(self.tasks)} task{'s' * (len(self.tasks) != 1)}: {', '.join(self.tasks)}")
        return "; ".join(told) or "nothing"

    @property
    def is_nothing(self) -> bool:
        return not self.requests and not self.tasks


def run(*, message: str, duration: int | None, timeout: int, as_json: bool) -> int:
    """1 when something still runs at the timeout. Raises CannotStart."""
    if timeout < 0:
        raise CannotStart(f"--timeout {timeout}: seconds are needed, 0 or more; 0 looks once")
    paths = Paths(inside.load_started().data)
    if parent.find(paths) is None:
        raise CannotStart("the appliance is not running, so nothing is under way; next: ./scripts/up")

    def say(text: str) -> None:
        if not as_json:
            print(text, flush=True)

    left = drain(paths, say, message=message, duration=duration, timeout=timeout)
    told = {"drained": left.is_nothing, "requests": left.requests, "tasks": left.tasks}
    if as_json:
        print(json.dumps({**told, "paused": draining.paused(paths)}, indent=2))
    elif left.is_nothing:
        print(f"nothing is under way, and nothing begins; next: {maintenance.END}, which ends it")
    else:
        print(
            f"after {timeout} s there is still {left}; next: ./scripts/appliance drain again waits for it,"
            f" {maintenance.END} lets all go on",
            file=sys.stderr,
        )
    return 0 if left.is_nothing else 1


def drain(
    paths: Paths,
    say: Callable[[str], None],
    *,
    message: str = "",
    duration: int | None = None,
    timeout: float,
) -> Left:
    """What is still under way at the end. Raises CannotStart."""
    maintenance.close(paths, message, duration)
    say("the door is closed")
    held = inside.run(lambda context: _pause(context, paths))
    say(f"paused: {', '.join(held)}" if held else "every queue was paused already")
    deadline, told_at = time.monotonic() + timeout, 0.0
    while True:
        left = Left(in_flight(paths.nginx_socket), inside.run(_running))
        if left.is_nothing or time.monotonic() > deadline:
            return left
        if time.monotonic() - told_at > _TOLD_EACH:
            told_at = time.monotonic()
            say(f"waiting for {left}")
        time.sleep(_LOOK)


async def _pause(context: Context, paths: Paths) -> list[str]:
    """Those that were open. Raises Unavailable."""
    names = [queue.name for queue in (await queues.every(context)).queues if not queue.paused]
    draining.note(paths, names)
    for name in names:
        await queues.set_paused(context, None, name, paused=True)
    return names


async def _running(context: Context) -> list[str]:
    with redis_needed():
        return [f"{task.name} {task.id}" for task in await status.running(context.redis)]


def in_flight(path: Path) -> int:
    """Requests that nginx has not answered yet, without the one that asks; 0 when it does not run."""
    found = nginx_status.find(path, 5)
    return max(0, found.writing - 1) if found else 0
