"""Importing responses: a file is kept and its import promised; `import_running` does it.

Nobody is told of imported responses, neither by e-mail nor by `response.created`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from typing import IO

import msgspec

from appliance.addresses import Paths
from appliance.clock import new_id, utc_now
from appliance.domain.access import Caller, Level
from appliance.errors import BadRequest, TooLarge
from appliance.queue.scripts import Job
from appliance.services import background, deadlines, repeats, submissions, webhooks
from appliance.services.background import Accepted
from appliance.services.context import Context
from appliance.services.export_making import columns_of
from appliance.services.export_shapes import Media
from appliance.services.forms import visible_state
from appliance.services.import_reading import check_head
from appliance.services.shapes import Submission, WebAddress
from appliance.services.submissions import Attempt
from appliance.stores import audit, exports, idempotency
from appliance.stores.transactions import Session

TASK = "import_responses"
LARGEST = 64 * 1024 * 1024
"""Bytes of a file, as in nginx.conf."""


class StartImport(msgspec.Struct, kw_only=True):
    """What is asked for beside the file."""

    media: Media
    keep_origin: bool = False
    webhook_url: WebAddress | None = None


class _Body(msgspec.Struct):
    """What a key stands for."""

    asked: StartImport
    sha256: str


async def allow(context: Context, caller: Caller, form_id: str, asked: StartImport) -> None:
    """Before the file is read. Raises NotFound, Forbidden, Conflict, FormNotOpen, FormClosed, BadRequest."""
    await visible_state(context, caller, form_id, Level.MANAGE if asked.keep_origin else Level.EDIT)
    attempt = Attempt(form_id=form_id, caller=caller, submission=Submission(None))
    await submissions.admit_now(context, attempt)
    if asked.webhook_url is not None:
        webhooks.check_url(asked.webhook_url, "/webhook_url")


async def start(
    context: Context,
    caller: Caller,
    form_id: str,
    asked: StartImport,
    body: AsyncIterator[bytes],
    given_key: str | None,
) -> tuple[Accepted, bool]:
    """Keep the file, durably, and promise the import; and whether that is the repeated answer to a key.

    Raises TooLarge, BadRequest for an empty file, Invalid for columns that the form has not, Conflict.
    """
    folder, name = Paths(context.settings.data).imports, new_id()
    try:
        with exports.writing(folder, name) as file:
            digest = await _keep(context, body, file)
            await asyncio.to_thread(os.fsync, file.fileno())  # which takes long; nothing is left to sync then
        key = _key(context, caller, form_id, given_key, _Body(asked, digest))
        # The file may have taken longer to arrive than a request has in the database.
        answer, replayed = await deadlines.start(_promise(context, caller, form_id, asked, name, key))
    except BaseException:
        (folder / name).unlink(missing_ok=True)
        raise
    if replayed:
        (folder / name).unlink(missing_ok=True)
    return answer, replayed


def _key(
    context: Context, caller: Caller, form_id: str, given: str | None, body: _Body
) -> idempotency.Key | None:
    return repeats.key(context, caller, f"/api/v1/forms/{form_id}/responses/import", given, body)


async def _promise(
    context: Context,
    caller: Caller,
    form_id: str,
    asked: StartImport,
    body: str,
    key: idempotency.Key | None,
) -> tuple[Accepted, bool]:
    if asked.media == "csv":
        columns = await columns_of(context, form_id)
        with (Paths(context.settings.data).imports / body).open("rb") as kept:
            await asyncio.to_thread(check_head, kept, columns)
    slug = (await context.forms.get(form_id)).row["slug"]
    made: list[Job] = []

    async def write(session: Session) -> Accepted:
        arguments = {"form_id": form_id}
        job = await background.promise(
            context, session, caller, TASK, arguments, webhook_url=asked.webhook_url
        )
        now = utc_now()
        row = {
            "_id": job.id,
            "form_id": form_id,
            "owner": caller.user_id,
            "body": body,
            "media": asked.media,
            "keep_origin": asked.keep_origin,
            "name": f"{slug}-import-report.ndjson",
            "state": "pending",
            "created_at": now,
            "expires_at": now + exports.PENDING,
        }
        await exports.insert(context.db, session, row)
        deed = audit.Entry(caller.user_id, "responses.imported", form_id, {"task_id": job.id})
        await audit.record(context.db, session, deed)
        made[:] = [job]
        return background.accepted(job)

    taken = "A request with this Idempotency-Key is under way; ask again in a moment."
    answer, replayed = await repeats.once(context, key, Accepted, write, taken)
    if not replayed:
        background.begin(context, made[0])
    return answer, replayed


async def _keep(context: Context, body: AsyncIterator[bytes], file: IO[bytes]) -> str:
    """SHA-256 of what was written, in hexadecimal."""
    digest, size = hashlib.sha256(), 0
    async for chunk in body:
        size += len(chunk)
        if size > LARGEST:
            raise TooLarge(f"A file has at most {LARGEST} bytes; send the rest as another one.")
        context.space.check()
        digest.update(chunk)
        await asyncio.to_thread(file.write, chunk)
    if not size:
        raise BadRequest("The file is empty.")
    file.flush()
    return digest.hexdigest()
