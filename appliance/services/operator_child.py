"""What only the operator's side can do or see, asked of a child: `appliance.ops.asked`.

The child has this program's user and no more rights; it sees what was started as the operator does. A child
that only looks ends with us, or at the deadline. One that does something is left to end what it has begun,
whatever becomes of who asked: a program that is between its stop and its start is not left there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import Any, Literal, NamedTuple

import msgspec

from appliance import logs
from appliance.errors import TooMany, Unavailable
from appliance.services.children import Turn

CHILD = "appliance.ops.asked"
SECONDS = 50.0
"""With the turn that is waited for, less than the 60 that nginx waits here."""
_PATIENCE = 5.0
Look = Literal["doctor", "logs", "secrets"]
Act = Literal["restart", "rotate"]

log = logs.get(__name__)
_looking, _acting = asyncio.Semaphore(1), asyncio.Semaphore(1)
"""One child of each kind at a time: each takes a CPU for seconds, and 100 MiB."""
_left: set[asyncio.Task[Any]] = set()
"""Children that go on behind an answer."""


class Told(NamedTuple):
    """Either what was asked for, or why that is refused."""

    answer: Any
    refused: str | None


async def look(kind: Look, **asked: Any) -> Told:
    """Raises TooMany while others look, which is no fault of ours; Unavailable when it takes too long."""
    async with Turn(_looking, _PATIENCE, "Somebody is looking already; ask again.", TooMany):
        child = await _start(kind, asked, is_tied=True)
        try:
            async with asyncio.timeout(SECONDS):
                return _read(child, (await child.communicate())[0])
        except TimeoutError:
            why = f"It takes more than {SECONDS:.0f} s; next, on the machine: ./scripts/appliance {kind}"
            raise Unavailable(why, retry_after=30) from None
        finally:
            if child.returncode is None:
                child.kill()
                await asyncio.shield(child.wait())


async def act(kind: Act, **asked: Any) -> Told | None:
    """None when it goes on behind. Raises TooMany while another goes on."""
    async with Turn(_acting, _PATIENCE, "Another one is under way; ask again.", TooMany):
        child = await _start(kind, asked, is_tied=False)
        ending = asyncio.ensure_future(child.communicate())
        _left.add(ending)
        ending.add_done_callback(_left.discard)
        done, _ = await asyncio.wait({ending}, timeout=SECONDS)
        return _read(child, ending.result()[0]) if done else None


async def _start(kind: str, asked: dict[str, Any], *, is_tied: bool) -> asyncio.subprocess.Process:
    tied = str(os.getpid()) if is_tied else "0"
    question = msgspec.json.encode({"kind": kind, **asked}).decode()
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", CHILD, tied, question,
        stdin=DEVNULL, stdout=PIPE, start_new_session=not is_tied,
    )  # fmt: skip


def _read(child: asyncio.subprocess.Process, answer: bytes) -> Told:
    try:
        told = msgspec.json.decode(answer)
        return Told(told.get("answer"), told.get("refused"))
    except (msgspec.DecodeError, AttributeError):
        log.error("a child has not answered", extra={"exit": child.returncode})
        raise Unavailable("It could not be done now; the log of the API says more.", retry_after=10) from None
