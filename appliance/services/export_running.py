"""Making exports: while the caller waits, or as a task."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Any, NamedTuple

import msgspec

from appliance import disk
from appliance.addresses import Paths
from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller
from appliance.errors import Conflict, NotFound, Unavailable
from appliance.queue.run import Run
from appliance.services import deadlines, export_making
from appliance.services.context import Context
from appliance.services.export_making import MEDIA_TYPES, Limits, Wanted, file_name
from appliance.services.export_shapes import ExportDone, StartExport
from appliance.services.exports import deed_of, wanted
from appliance.stores import audit, exports
from appliance.stores.exports import Finished
from appliance.stores.mongo import Document
from appliance.stores.transactions import together

AT_ONCE = Limits(rows=50_000, bytes=256 * 2**20)
"""What is made while the caller waits."""
_TOGETHER = 2
"""Made at the same time while callers wait, in one process."""
_PATIENCE = 10.0
"""Seconds to wait for a turn."""
_LONGEST = 120.0
"""Seconds that a caller waits at most; nginx waits a little longer."""
_turns: dict[int, asyncio.Semaphore] = {}


class Whole(NamedTuple):
    """A finished file without a name: whoever closes it removes it."""

    file: IO[bytes]
    about: Finished


async def at_once(context: Context, caller: Caller, form_id: str, asked: StartExport) -> Whole:
    """The whole file, made before its first byte is sent: so its length and digest are known, and what goes
    wrong on the way is an answer and not half a file.

    Raises NotFound, Forbidden, Invalid, Conflict for more than AT_ONCE, Unavailable.
    """
    found, form = await wanted(context, caller, form_id, asked)
    folder = Paths(context.settings.data).exports
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 -- whoever sends it closes it
    try:
        async with _turn(), asyncio.timeout(_LONGEST):
            # Longer than a request's time in the database: each of its calls has a deadline of its own.
            making = export_making.make(context, form_id, found, file, limits=AT_ONCE)
            rows = await deadlines.apart(making)
            size, digest = await asyncio.to_thread(_measured, file)
    except TimeoutError:
        file.close()
        raise Conflict("This takes too long to wait for; have it made by POST .../exports.") from None
    except BaseException:
        file.close()
        raise
    deed = deed_of(caller, form_id, found)
    await deadlines.start(together(context.db, lambda session: audit.record(context.db, session, deed)))
    name, media_type = file_name(form, found), MEDIA_TYPES[found.format]
    return Whole(file, Finished(name, media_type, rows, size, digest))


@contextlib.asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """Raises Unavailable when too many are being made."""
    turns = _turns.setdefault(id(asyncio.get_running_loop()), asyncio.Semaphore(_TOGETHER))
    try:
        await asyncio.wait_for(turns.acquire(), _PATIENCE)
    except TimeoutError:
        raise Unavailable("Too many exports are being made; try again.", retry_after=10) from None
    try:
        yield
    finally:
        turns.release()


def _measured(file: IO[bytes]) -> tuple[int, str]:
    size = file.seek(0, 2)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return size, digest


async def work(context: Context, run: Run, form_id: str) -> Any:
    """What the task does: make the file, once. None while another one is being made: come again later."""
    folder = Paths(context.settings.data).exports
    row = await exports.find(context.db, run.id)
    if row is None:
        raise NotFound("The export has expired before it could be made.")
    if row["state"] == "ready" and (folder / run.id).exists():
        return _done(row)
    with disk.only_one(folder) as alone:
        if not alone:
            return None
        exports.sweep_drafts(folder)
        begun = utc_now()
        wanted = msgspec.convert(row["wanted"], Wanted)

        def told(looked_at: int, of: int) -> None:
            run.progress(looked_at, of, "responses")

        with exports.writing(folder, run.id) as file:
            rows = await export_making.make(context, form_id, wanted, file, told=told)
        path = folder / run.id
        digest = await asyncio.to_thread(exports.digest, path)
    media_type = MEDIA_TYPES[wanted.format]
    done = Finished(row["name"], media_type, rows, path.stat().st_size, digest)
    return _done(await exports.finish(context.db, row, done, utc_now(), begun_at=begun))


def _done(row: Document) -> Any:
    return msgspec.to_builtins(
        ExportDone(
            export_id=row["_id"],
            export_url=f"/api/v1/exports/{row['_id']}",
            rows=row["rows"],
            bytes=row["bytes"],
            sha256=row["sha256"],
            expires_at=rfc3339(row["expires_at"]),
        )
    )
