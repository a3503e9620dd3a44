"""Forms made of what users already have: an XLSForm, or the JSON Schema of a response.

Contract: a file is only ever read in a child with limits, so whatever it is, an answer is there within
READ_SECONDS, and other requests of this process go on meanwhile. What is stored has passed the same check as
any other definition.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final

import msgspec

from appliance.domain.access import Caller
from appliance.errors import FieldError, Forbidden, Invalid, Unavailable
from appliance.services import children, form_content, forms
from appliance.services.context import Context
from appliance.services.import_shapes import Answer, ImportDraft, ImportedForm, Question, Source
from appliance.stores import idempotency
from appliance.stores.mongo import Document

READ_SECONDS: Final = 15.0
"""For one file, the wait for a turn included: its child may have far less CPU, so this is a busy machine."""
LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a file; nginx.conf lets a little more through, for what multipart puts around it."""
UNTITLED: Final = "Imported form"
_PATIENCE: Final = 3.0
_BUSY: Final = "Too many files are being imported; try again."
_PATH: Final = "/api/v1/forms/import"


async def create(
    context: Context, caller: Caller, source: Source, body: bytes, title: str | None, key: str | None
) -> tuple[ImportedForm, bool]:
    """A new draft with its warnings, and whether it is the repeated answer to a key.

    Raises Forbidden, Invalid with the place of each fault in the file, Unavailable.
    """
    digest = {"source": source, "title": title, "body": hashlib.sha256(body).hexdigest()}
    scoped = idempotency.scoped(caller.user_id, _PATH, key, digest) if key else None
    if first := await forms.first_answer(context, caller, scoped, ImportedForm):
        return first, True
    draft = await look(context, caller, source, body, title)
    content = {"definition": draft.definition, "schema": None}
    await form_content.check(context.schemas, content)
    fields: Document = {"title": draft.title, "settings": {}, **content}

    def tell(row: Document) -> ImportedForm:
        return ImportedForm(**msgspec.structs.asdict(forms.shape_of(row)), warnings=draft.warnings)

    return await forms.store(context, caller, fields, scoped, ImportedForm, tell, imported_from=source)


async def look(
    context: Context, caller: Caller, source: Source, body: bytes, title: str | None
) -> ImportDraft:
    """What an import would make. Raises as `create`."""
    if not caller.may_create_forms:
        raise Forbidden("Your role does not create forms.")
    answer = await _read(context.importing, Question(source, body))
    if answer is None:
        fault = FieldError("", "takes too much time or memory to read")
        raise Invalid("The file cannot be imported.", errors=[fault])
    if answer.refused:
        raise Invalid(answer.refused, errors=[FieldError(one.path, one.message) for one in answer.errors])
    named = (title or answer.title).strip()[: forms.LONGEST_TITLE] or UNTITLED
    own = {"title": named} if title and title.strip() else {}
    return ImportDraft(named, {**answer.definition, **own}, answer.warnings)


async def _read(turns: asyncio.Semaphore, question: Question) -> Answer | None:
    """None for a file that is too much. Raises Unavailable where the machine is too busy to tell."""
    try:
        async with asyncio.timeout(READ_SECONDS), children.Turn(turns, _PATIENCE, _BUSY):
            told = await children.ask("appliance.services.import_child", msgspec.msgpack.encode(question))
    except TimeoutError:
        raise Unavailable(_BUSY) from None
    return None if told is None else msgspec.msgpack.decode(told, type=Answer)
