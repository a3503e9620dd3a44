"""`appliance queue …`: what waits, what runs, what failed; pausing, emptying, doing anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import msgspec
from redis.exceptions import RedisError

from appliance.errors import CannotStart, Conflict, NotFound
from appliance.ops import inside
from appliance.ops.table import duration, print_table
from appliance.services import dead_letters, queues
from appliance.services.context import Context
from appliance.services.task_shapes import DeadLetter, Queue

_PAGE = 200
_SHOWN = 20
"""Dead letters in a table; --json has all."""


def show(*, as_json: bool) -> int:
    """Queues, then dead letters, the last ones to fail first. Raises CannotStart."""
    found, later, letters = inside.run(look)
    if as_json:
        told = {"queues": found, "due_later": later, "dead_letters": letters}
        print(json.dumps(msgspec.to_builtins(told), indent=2))
        return 0
    print_table(("QUEUE", "WAIT", "OLDEST", "RUN", "ENDED/MIN", "STATE"), [_row(queue) for queue in found])
    print(f"\n{later} more wait for their time: the next try of what failed, or a set time\n")
    if not letters:
        print("no dead letters")
        return 0
    titles = ("DEAD LETTER", "TASK", "FAILED", "TRIES", "ERROR")
    print_table(titles, [_letter_row(letter) for letter in letters[:_SHOWN]])
    if len(letters) > _SHOWN:
        print(f"… and {len(letters) - _SHOWN} more; next: appliance queue list --json")
    print("\nto do one anew: appliance queue retry ID; all of them: appliance queue retry --all")
    return 0


def set_paused(queue: str, *, paused: bool, as_json: bool) -> int:
    """What runs goes on. Raises CannotStart."""
    inside.run(lambda context: queues.set_paused(context, None, queue, paused))
    if as_json:
        print(json.dumps({"queue": queue, "paused": paused}))
        return 0
    print(f"{queue} is paused; what runs goes on" if paused else f"{queue} goes on")
    return 0


def purge(queue: str, *, sure: bool, as_json: bool) -> int:
    """Cancel what waits there, for good. Raises CannotStart."""
    if not sure and (
        as_json
        or not _confirmed(
            f"Cancel everything that waits on {queue}, e-mail and deliveries to webhooks too, for good?"
        )
    ):
        raise CannotStart("nothing was cancelled; to do it without being asked: --yes")
    count = inside.run(lambda context: queues.purge(context, None, queue))
    if as_json:
        print(json.dumps({"queue": queue, "cancelled": count}))
        return 0
    print(f"1 task of {queue} was cancelled" if count == 1 else f"{count} tasks of {queue} were cancelled")
    return 0


def retry(ids: Sequence[str], *, every: bool, as_json: bool) -> int:
    """Do dead letters anew. 1 when one of them could not be. Raises CannotStart."""
    if bool(ids) == every:
        raise CannotStart("name the dead letters to do anew, or give --all; next: appliance queue list")
    done, refused = inside.run(lambda context: _retry(context, ids))
    if as_json:
        print(json.dumps({"begun": done, "refused": refused}, indent=2))
        return 1 if refused else 0
    for reason in refused:
        print(reason, file=sys.stderr)
    print("1 task begins anew" if done == 1 else f"{done} tasks begin anew")
    return 1 if refused else 0


async def look(context: Context) -> tuple[list[Queue], int, list[DeadLetter]]:
    """Queues, how many tasks wait for their time, dead letters."""
    later = await queues.due_later(context)
    return (await queues.every(context)).queues, later, await _letters(context)


async def _letters(context: Context) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    cursor = None
    while True:
        page = await dead_letters.newest(context, None, None, cursor, _PAGE)
        found += page.dead_letters
        cursor = page.next_cursor
        if cursor is None:
            return found


async def _retry(context: Context, ids: Sequence[str]) -> tuple[int, list[str]]:
    done, refused = 0, []
    for task_id in ids or [letter.task_id for letter in await _letters(context)]:
        try:
            await dead_letters.replay(context, None, task_id)
            done += 1
        except (NotFound, Conflict) as fault:
            refused.append(f"{task_id}: {fault.detail}")
    try:
        await context.sender.flush()
    except (RedisError, OSError):
        refused.append("Redis does not answer; the tasks begin when it is back")
    return done, refused


def _confirmed(question: str) -> bool:
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _row(queue: Queue) -> tuple[str, ...]:
    oldest = "-" if queue.oldest_age is None else duration(queue.oldest_age)
    state = "paused" if queue.paused else "open"
    return queue.name, str(queue.depth), oldest, str(queue.running), f"{queue.rate * 60:.1f}", state


def _letter_row(letter: DeadLetter) -> tuple[str, ...]:
    error = letter.error if len(letter.error) <= 60 else f"{letter.error[:59]}…"
    return letter.task_id, letter.name, letter.failed_at, str(len(letter.attempts)), error
