"""Uploads: a file is taken in before the response that will name it, and given out again.

Contract of `upload`: when it returns, the file lies on the disk whole and its row is in the database's
journal; when it raises, nothing is left, or marks are that the pruning settles.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from msgspec import Struct

from appliance.addresses import Paths
from appliance.clock import new_id, utc_now
from appliance.domain.access import Caller, Level, level
from appliance.domain.faults import Faults
from appliance.domain.file_rule import PATH, FileRule
from appliance.domain.file_type import HEAD, disagrees
from appliance.domain.message import Said
from appliance.errors import (
    FieldError,
    Invalid,
    NotFound,
    Problem,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from appliance.services import admission, deadlines, fair_shares
from appliance.services.admission import Visit
from appliance.services.context import Context
from appliance.services.forms import visible_state
from appliance.stores import files, partials, responses, storage
from appliance.stores.file_area import Draft, FileArea
from appliance.stores.mongo import Document
from appliance.stores.storage import Share

_MB = 1024 * 1024
_PIECE = 256 * 1024
"""Bytes that are written at once."""


class Sent(NamedTuple):
    """A file as its sender tells of it."""

    name: str
    type: str
    chunks: AsyncIterator[bytes]


class Uploaded(Struct, kw_only=True):
    """`content` is what the answer of the question names the file by."""

    file_id: str
    name: str
    type: str
    size: int
    content: str


def area(context: Context) -> FileArea:
    return FileArea(Paths(context.settings.data).files)


async def upload(
    context: Context, visit: Visit, question: str, sent: Callable[[], Awaitable[Sent]]
) -> Uploaded:
    """Raises what a submission by the same visitor would raise because of who they are, Invalid, TooLarge,
    StorageFull, Unavailable.
    """
    asked = await _asked(context, visit, question)
    most = context.settings.form_files_mb * _MB
    if await storage.file_bytes(context.db, visit.form_id) >= most:
        raise StorageFull("The files of this form have reached what they may take on the disk.")
    if asked.share is not None:
        await files.check_share(context.db, asked.share, context.settings.upload_mb * _MB)
    file = await sent()
    asked.check(file.name, file.type, 1)
    file_id = new_id()
    try:
        size = await _write(context, file_id, file, asked)
        row = _row(visit, question, file_id, file, size)
        # With a deadline of its own: the request's began before the body came.
        await deadlines.start(files.add(context.db, row, most, asked.share))
    except BaseException as fault:
        if not _may_be_stored(fault):
            await asyncio.shield(asyncio.to_thread(area(context).settle, file_id, has_row=False))
        raise
    await asyncio.to_thread(area(context).settle, file_id, has_row=True)
    content = PATH.format(form_id=visit.form_id, file_id=file_id)
    return Uploaded(file_id=file_id, name=file.name, type=file.type, size=size, content=content)


async def find(
    context: Context, caller: Caller | None, form_id: str, file_id: str, token: str | None
) -> Document:
    """The row of a file, for who may read the form's responses, and for who is about to send one that names
    it. Raises Unauthenticated, NotFound, Forbidden.
    """
    if token is not None and await _holds(context, form_id, file_id, token):
        return await files.get(context.db, form_id, file_id)
    if caller is None:
        raise Unauthenticated("Sign in to read the files of responses.")
    await visible_state(context, caller, form_id, Level.VIEW)
    return await files.get(context.db, form_id, file_id)


async def _holds(context: Context, form_id: str, file_id: str, token: str) -> bool:
    """Whether the half-filled response names the file, and no response does: ids of those get about."""
    try:
        await context.forms.get(form_id)
    except NotFound:
        return False
    row = await partials.find(context.db, partials.partial_id(form_id, token), utc_now())
    if row is None or file_id not in row.get("files", ()):
        return False
    return not await responses.owners_of_files(context.db, [file_id])


class _Asked(NamedTuple):
    """The questions of a name that take files, the language of the form, and what whoever asks may take of
    its room. Several of one name stand in different panels; the submission knows which it is.
    """

    rules: list[FileRule]
    language: str
    share: Share | None

    def check(self, name: str, kind: str, size: int) -> None:
        """Raises Invalid for a file that none of them takes."""
        faults = [rule.fault(name, kind, size) for rule in self.rules]
        if all(faults):
            raise _refusal(faults[0], self.language)


async def _asked(context: Context, visit: Visit, question: str) -> _Asked:
    """Raises Invalid when no question of that name takes files."""
    state = await admission.read_state(context, visit)
    edits = level(visit.caller, state.row) >= Level.EDIT  # also of responses to a form that has closed
    await admission.admit(context, visit, state, until_closed=not edits)
    assert state.published is not None  # noqa: S101 (a form past draft has a version)
    found = state.published.files.find(question)
    rules = [rule for rule in found if rule.apart or not rule.is_signature]
    if not rules:
        fault = FieldError("/question", "the form has no question of this name that takes uploaded files")
        raise Invalid("There is no such file question.", errors=[fault])
    language = state.published.language([state.row["settings"].get("language")])
    return _Asked(rules, language, fair_shares.of_files(context, visit, state))


def _refusal(message: Said | None, language: str = "") -> Invalid:
    faults = Faults(language)
    faults.add("/file", message or "")
    return Invalid("The question does not take this file.", errors=faults.found)


async def _write(context: Context, file_id: str, file: Sent, asked: _Asked) -> int:
    """Its size in bytes. Raises Invalid, TooLarge, Unavailable."""
    try:
        draft = await asyncio.to_thread(area(context).draft, file_id)
        async with _Closing(draft):
            size, head = await _fill(context, draft, file, asked)
            if size == 0:
                raise _refusal("the file is empty")
            if message := disagrees(head, file.type, file.name):
                raise _refusal(message)
        await asyncio.to_thread(area(context).put_in_place, file_id)
    except OSError:
        raise Unavailable("The file could not be written to the disk.", retry_after=30) from None
    return size


class _Closing:
    """A draft's end, in a thread: it waits for the disk."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *how: object) -> None:
        await asyncio.to_thread(self._draft.__exit__, *how)  # type: ignore[arg-type]


async def _fill(context: Context, draft: Draft, file: Sent, asked: _Asked) -> tuple[int, bytes]:
    size, head, piece = 0, b"", bytearray()
    most = context.settings.upload_mb * _MB
    async for chunk in file.chunks:
        size += len(chunk)
        head += chunk[: HEAD - len(head)]
        if size > most:
            raise TooLarge(f"A file has at most {context.settings.upload_mb} MiB (APPLIANCE_UPLOAD_MB).")
        asked.check(file.name, file.type, size)
        piece += chunk
        if len(piece) >= _PIECE:
            context.space.check()
            await asyncio.to_thread(draft.write, bytes(piece))
            piece.clear()
    await asyncio.to_thread(draft.write, bytes(piece))
    return size, head


def _row(visit: Visit, question: str, file_id: str, file: Sent, size: int) -> Document:
    return {
        "_id": file_id,
        "form_id": visit.form_id,
        "question": question,
        "name": file.name,
        "type": file.type,
        "size": size,
        "created_at": utc_now(),
    }


def _may_be_stored(fault: BaseException) -> bool:
    """Nobody knows whether the row was written; the pruning will."""
    return not isinstance(fault, Problem)
