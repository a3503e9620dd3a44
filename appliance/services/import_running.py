"""The task of an import: its lines are submitted one by one, many at a time.

Contract of `work`: each line is judged and kept as if it had been submitted by whoever imports, under a key
made of the task and the line, so a task that was killed and runs again keeps nothing twice. Refused lines are
told in a report, which is downloaded as an export is. A fault of ours refuses nothing: the task begins anew
later, and finds by the keys what it has kept. Only what fails in each of the task's tries is told as refused.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from typing import IO, Any, NamedTuple

import msgspec

from appliance import disk
from appliance.addresses import Paths
from appliance.clock import rfc3339, utc_now
from appliance.domain.access import Caller
from appliance.errors import InternalError, NotFound, Problem, Unavailable
from appliance.queue.run import Run
from appliance.services import batches, deadlines
from appliance.services.batches import LineVerdict
from appliance.services.context import Context
from appliance.services.export_making import columns_of
from appliance.services.export_shapes import ImportDone, Media
from appliance.services.import_reading import ImportLine, Item, items, original
from appliance.services.shapes import Submission, SubmissionMeta
from appliance.services.submissions import Attempt, Origin
from appliance.stores import exports, users
from appliance.stores.exports import Finished
from appliance.stores.mongo import Document
from appliance.stores.response_writer import ResponseWriter

AT_ONCE = 64
"""Lines under way: as many as one group of the response writer takes."""
MOST_HELD = 4 * 1024 * 1024
"""Bytes of the lines under way."""
REPORT_TYPE = "application/x-ndjson"


class _Counts(NamedTuple):
    accepted: int
    refused: int


async def work(context: Context, run: Run) -> Any:
    """Submit each line; what is told of it. None while another file is being imported: come again later.

    Raises NotFound, Unavailable, InternalError.
    """
    paths = Paths(context.settings.data)
    row = await exports.find(context.db, run.id)
    if row is None:
        raise NotFound("The import has waited too long for its turn; send the file again.")
    if row["state"] != "ready":
        with disk.only_one(paths.imports) as alone:
            if not alone:
                return None
            row = await _import(context, run, row, paths)
    (paths.imports / row["body"]).unlink(missing_ok=True)
    told = ImportDone(
        accepted=row["accepted"],
        refused=row["refused"],
        report_url=f"/api/v1/exports/{run.id}",
        expires_at=rfc3339(row["expires_at"]),
    )
    return msgspec.to_builtins(told)


async def _import(context: Context, run: Run, row: Document, paths: Paths) -> Document:
    """The row, once all lines are decided and the report is there."""
    caller = await _caller(context, row["owner"])
    body = paths.imports / row["body"]
    if not body.exists():
        raise NotFound("The file to import is not there any more; send it again.")
    importing = _Import(context, run, row["form_id"], caller, believed=row["keep_origin"])
    # Its draft lies apart: whoever makes an export sweeps away all drafts in that folder.
    with exports.writing(paths.exports, run.id, paths.imports) as report, body.open("rb") as file:
        counts = await importing.all(file, row["media"], body.stat().st_size, report)
    path = paths.exports / run.id
    digest = await asyncio.to_thread(exports.digest, path)
    done = Finished(row["name"], REPORT_TYPE, counts.refused, path.stat().st_size, digest)
    return await exports.finish(context.db, row, done, utc_now(), **counts._asdict())


async def _caller(context: Context, user_id: str) -> Caller:
    """Whoever started it, with the rights that they have now. Raises NotFound."""
    user = await users.find(context.db, user_id)
    if user is None or user["status"] != "active":
        raise NotFound("The account that started the import is not active any more.")
    return Caller(user["_id"], user["username"], frozenset(user["roles"]))


class _Import:
    """One run over the whole file."""

    def __init__(self, context: Context, run: Run, form_id: str, caller: Caller, *, believed: bool) -> None:
        # A writer of its own: those of workers are not started.
        self._context = dataclasses.replace(context, writer=ResponseWriter(context.db))
        self._run, self._form_id, self._caller, self._believed = run, form_id, caller, believed
        self._is_last_try = run.claim.retries >= run.claim.max_retries
        self._people: dict[str, bool] = {}
        self._accepted = self._refused = 0

    async def all(self, file: IO[bytes], media: Media, size: int, report: IO[bytes]) -> _Counts:
        """Raises Unavailable, InternalError when a line could not be decided."""
        columns = await columns_of(self._context, self._form_id)
        under_way: deque[tuple[asyncio.Task[LineVerdict], int, int]] = deque()
        held = before = 0
        self._context.writer.start()
        try:
            for item in items(file, media, columns):
                under_way.append((deadlines.start(self._judge(item)), item.end - before, item.end))
                held, before = held + item.end - before, item.end
                await asyncio.sleep(0)
                while under_way and (len(under_way) >= AT_ONCE or held > MOST_HELD):
                    held -= await self._settle(under_way.popleft(), size, report)
            while under_way:
                await self._settle(under_way.popleft(), size, report)
        finally:
            await asyncio.gather(*(task for task, _, _ in under_way), return_exceptions=True)
            await self._context.writer.stop()
        return _Counts(self._accepted, self._refused)

    async def _settle(
        self, line: tuple[asyncio.Task[LineVerdict], int, int], size: int, report: IO[bytes]
    ) -> int:
        """Count the verdict; the bytes that its line took."""
        task, took, end = line
        verdict = await task
        if verdict.status == Unavailable.status:  # which uses up none of the task's tries
            raise Unavailable(f"line {verdict.line}: {verdict.detail}")
        if verdict.status == InternalError.status and not self._is_last_try:
            raise InternalError(f"line {verdict.line}: {verdict.detail}")
        if verdict.status == 201:
            self._accepted += 1
        else:
            self._refused += 1
            report.write(batches.encoded(verdict))
        self._run.progress(end, size, "bytes")
        return took

    async def _judge(self, item: Item) -> LineVerdict:
        async def attempt() -> Attempt:
            if isinstance(item.given, Problem):
                raise item.given
            return Attempt(
                form_id=self._form_id,
                caller=self._caller,
                submission=Submission(item.given.data, _plain(item.given)),
                key=f"import-{self._run.id}-{item.line}",
                origin=await self._origin(item.given),
            )

        return await batches.judged(self._context, item.line, attempt)

    async def _origin(self, given: ImportLine) -> Origin:
        if not self._believed:
            return Origin()
        meta: dict[str, Any] = msgspec.to_builtins(given.meta)
        if (moment := original(given)) is not None:
            meta["original_created_at"] = rfc3339(moment)
        if given.meta.started_at is not None:
            meta["started_at"] = rfc3339(given.meta.started_at)
        return Origin(submitter=await self._known(given.submitter), meta=meta)

    async def _known(self, user_id: str | None) -> str | None:
        """The id, where it is of an account of this appliance."""
        if user_id is None:
            return None
        if user_id not in self._people:
            self._people[user_id] = await users.find(self._context.db, user_id) is not None
        return user_id if self._people[user_id] else None


def _plain(given: ImportLine) -> SubmissionMeta:
    names = SubmissionMeta.__struct_fields__
    return SubmissionMeta(**{name: getattr(given.meta, name) for name in names})
