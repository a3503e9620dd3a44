"""`appliance erase …`: what is kept of a person, asked for on the machine itself. The work is done by the
same tasks as through the API, so the appliance must run.

An answer to look for comes from a prompt or from stdin, never from the command line, where every process
could read it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any, Final, NamedTuple

import msgspec
from redis.exceptions import RedisError

from appliance.errors import CannotStart
from appliance.ops import inside, progress
from appliance.ops.progress import Told
from appliance.ops.table import print_table
from appliance.queue import status
from appliance.services import erasure_export, erasures
from appliance.services.context import Context
from appliance.services.erasure_shapes import Erasure, StartErasure
from appliance.stores import users

_LOOK: Final = 0.2
_PAGE: Final = 200


class Wanted(NamedTuple):
    user: str | None
    answer: bool
    response_ids: list[str] | None
    form_id: str | None
    account: bool


def find(wanted: Wanted, *, as_json: bool, quiet: bool) -> int:
    """Wait until it was looked for; 1 when it names no person, or failed for good. Raises CannotStart."""
    if not (wanted.user or wanted.answer or wanted.response_ids):
        raise CannotStart("nobody is asked for; next: --user NAME, --answer or --response ID")
    text = _read_answer() if wanted.answer else None
    found = inside.run(
        lambda context: _find(context, wanted, text, progress.of("forms looked through", quiet=quiet))
    )
    _tell(found, as_json=as_json)
    if found.state == "found" and not as_json:
        print(f"\nto read it out: ./scripts/appliance erase export {found.erasure_id}")
        print(f"to erase it:    ./scripts/appliance erase run {found.erasure_id}")
    if found.state == "failed":
        print("next: ask again, by the same command", file=sys.stderr)
    return 0 if found.state == "found" else 1


def export(erasure_id: str) -> int:
    """To stdout. Raises CannotStart."""
    inside.run(lambda context: _export(context, erasure_id))
    return 0


def run(erasure_id: str, *, sure: bool, as_json: bool, quiet: bool) -> int:
    """Wait until it is erased; 1 when that failed for good. Raises CannotStart."""
    if not sure and (as_json or not _confirmed("Erase what was found, for good?")):
        raise CannotStart("nothing was erased; to do it without being asked: --yes")
    told = progress.of("responses erased", quiet=quiet)
    done = inside.run(lambda context: _run(context, erasure_id, told))
    _tell(done, as_json=as_json)
    if done.state == "failed":
        print(
            f"not erased, or not all of it; next: ./scripts/appliance erase run {erasure_id}", file=sys.stderr
        )
    return 0 if done.state == "erased" else 1


def show(*, as_json: bool) -> int:
    """Raises CannotStart."""
    rows = inside.run(_all)
    if as_json:
        print(json.dumps(msgspec.to_builtins(rows), indent=2))
        return 0
    titles = ("ERASURE", "STATE", "BY", "ASKED", "RESPONSES", "ERASED")
    print_table(titles, [_row(one) for one in rows])
    return 0


async def _find(context: Context, wanted: Wanted, text: str | None, told: Told) -> Erasure:
    subject: dict[str, Any] = {}
    if wanted.user:
        subject["user_id"] = (await users.get_by_name(context.db, wanted.user))["_id"]
    if text is not None:
        subject["answer"] = text
    if wanted.response_ids:
        subject["response_ids"] = wanted.response_ids
    fields = {"subject": subject, "account": wanted.account}
    asked = _checked(fields | ({"form_id": wanted.form_id} if wanted.form_id else {}))
    started, _ = await erasures.start(context, None, asked)
    return await _until(context, started.task_id, "finding", started.task_id, told)


async def _run(context: Context, erasure_id: str, told: Told) -> Erasure:
    task = await erasures.confirm(context, None, erasure_id)
    return await _until(context, erasure_id, "erasing", task.task_id, told)


async def _until(context: Context, erasure_id: str, state: str, task_id: str, told: Told) -> Erasure:
    """It is not in that state any more. What could not be sent now, the scheduler sends."""
    try:
        await context.sender.flush()
    except (RedisError, OSError):
        print("Redis does not answer; it begins when that is back", file=sys.stderr)
    while (found := await erasures.get(context, erasure_id)).state == state:
        with contextlib.suppress(RedisError, OSError):
            task = await status.find(context.redis, task_id)
            if task and task.progress and task.progress[1]:
                told(task.progress[0], task.progress[1])
        await asyncio.sleep(_LOOK)
    return found


async def _export(context: Context, erasure_id: str) -> None:
    row = await erasure_export.begin(context, None, erasure_id)
    async for line in erasure_export.lines(context, row):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


async def _all(context: Context) -> list[Erasure]:
    found: list[Erasure] = []
    cursor = None
    while True:
        page = await erasures.newest(context, cursor, _PAGE)
        found += page.subjects
        if (cursor := page.next_cursor) is None:
            return found


def _checked(fields: dict[str, Any]) -> StartErasure:
    """By the rules of the API. Raises CannotStart."""
    try:
        return msgspec.convert(fields, StartErasure)
    except msgspec.ValidationError as fault:
        raise CannotStart(f"{fault}; next: an answer has 3 to 200 characters, ids at most 64") from None


def _tell(found: Erasure, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    print(found.error or f"erasure {found.erasure_id}: {found.state}")
    if found.found:
        rows = [(one.form_id, str(one.responses), str(one.partials)) for one in found.found]
        print_table(("FORM", "RESPONSES", "HALF-FILLED"), rows)
    elif not found.error:
        print("nothing fits")


def _row(one: Erasure) -> tuple[str, ...]:
    responses = sum(each.responses for each in one.found)
    return one.erasure_id, one.state, ", ".join(one.by), one.asked_at, str(responses), one.erased_at or "-"


def _read_answer() -> str:
    """One line. Raises CannotStart."""
    if sys.stdin.isatty():
        print("Answer: ", end="", file=sys.stderr, flush=True)
    text = sys.stdin.readline().strip()
    if not text:
        raise CannotStart("no answer was given; next: type it, or send it as one line of stdin")
    return text


def _confirmed(question: str) -> bool:
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
