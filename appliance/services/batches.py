"""Many submissions in one request: one verdict a line, in order.

Contract of `verdicts`: each line is judged and kept as if it had been sent alone, so good ones are kept and
bad ones leave nothing. At most AT_ONCE lines are under way, with MOST_HELD bytes, so memory is bounded.
Whoever stops asking for verdicts stops the reading too; the lines under way then come to their end. A line
that could not be judged because of us says so by `retry_after`; after GIVEN_UP such lines in a row the others
are not tried, so that a batch ends soon while the database is away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field
from pymongo.errors import PyMongoError

from appliance import logs
from appliance.errors import FieldError, InternalError, Problem, TooLarge, TooMany, Unavailable
from appliance.services import deadlines, submissions
from appliance.services.context import Context
from appliance.services.shapes import Submission, SubmissionMeta
from appliance.services.submissions import Attempt
from appliance.stores import mongo

AT_ONCE = 64
"""Lines under way: as many as one group of the response writer takes."""
GIVEN_UP = AT_ONCE
"""Lines in a row that met an outage."""
LONGEST = 1024 * 1024
"""Bytes of a line."""
MOST = 100_000
"""Lines of a batch."""
MOST_HELD = 4 * 1024 * 1024
"""Bytes of the lines under way: decoded they are many times as large."""
_LONGEST_VERDICT = 4 * 1024
_OURS = frozenset({TooMany.status, InternalError.status, Unavailable.status})
"""What a line is answered with that says nothing of the line."""
_AGAIN = 2
"""Seconds, where the problem knows none."""
_KEY = "1 to 255 printable characters of ASCII without spaces and quotes"

log = logs.get(__name__)


class BatchLine(Struct, forbid_unknown_fields=True):
    """As a submission; `key` is what Idempotency-Key is there."""

    data: Any
    meta: SubmissionMeta = field(default_factory=SubmissionMeta)
    key: Annotated[str, Meta(pattern=r"^[\x21\x23-\x7e]{1,255}\Z", description=_KEY)] | None = None


class LineFault(Struct):
    path: str
    message: str


class LineVerdict(Struct, kw_only=True, omit_defaults=True):
    """`status` is what the line alone would have been answered with. Where there is `retry_after`, the line
    was not judged, and is to be sent again, under the same `key`, after so many seconds.
    """

    line: int
    status: int
    response_id: str | UnsetType = UNSET
    retry_after: int | UnsetType = UNSET
    replayed: bool = False
    detail: str | UnsetType = UNSET
    errors: list[LineFault] = []


Decode = Callable[[bytes], BatchLine]
Hold = Callable[[], Awaitable[None]]


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | None]:
    """The lines of a body, without their ends; None for one that is longer than LONGEST."""
    kept, skipping = bytearray(), False
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            kept += part
            yield None if skipping or len(kept) > LONGEST else bytes(kept)
            kept, skipping = bytearray(), False
        kept += rest
        if len(kept) > LONGEST:
            kept, skipping = bytearray(), True
    if kept or skipping:
        yield None if skipping else bytes(kept)


async def verdicts(
    context: Context, attempt: Attempt, body: AsyncIterator[bytes], decode: Decode, hold: Hold
) -> AsyncGenerator[bytes]:
    """NDJSON, in the order of the lines. Empty lines are counted but have no verdict.

    `attempt` holds what all lines have in common; `decode` raises BadRequest, `hold` TooMany for a line that
    is one too many. After MOST lines nothing more is read.
    """
    under_way: deque[tuple[asyncio.Task[LineVerdict], int]] = deque()
    held, number, lost = 0, 0, 0
    try:
        async for line in lines(body):
            number += 1
            if number > MOST:
                break
            if line is not None and not line.strip():
                continue
            size = len(line or b"")
            is_tried = lost < GIVEN_UP
            work = _judge(context, attempt, number, line, decode, hold) if is_tried else _untried(number)
            under_way.append((deadlines.start(work), size))
            held += size
            while under_way and (under_way[0][0].done() or len(under_way) >= AT_ONCE or held > MOST_HELD):
                verdict = await under_way[0][0]
                lost = lost + 1 if verdict.status == Unavailable.status else 0
                yield encoded(verdict)
                held -= under_way.popleft()[1]
        while under_way:
            yield encoded(await under_way[0][0])
            under_way.popleft()
        if number > MOST:
            problem = TooLarge(
                f"A batch has at most {MOST} lines; send this and the following as another one."
            )
            yield encoded(_refused(number, problem))
    finally:
        await asyncio.gather(*(task for task, _ in under_way), return_exceptions=True)


async def _judge(
    context: Context, attempt: Attempt, number: int, line: bytes | None, decode: Decode, hold: Hold
) -> LineVerdict:
    async def one() -> Attempt:
        if line is None:
            raise TooLarge(f"A line has at most {LONGEST} bytes.")
        await hold()
        given = decode(line)
        return msgspec.structs.replace(attempt, submission=Submission(given.data, given.meta), key=given.key)

    return await judged(context, number, one)


async def _untried(number: int) -> LineVerdict:
    return _refused(number, Unavailable("Many lines met an outage; this one was not tried."))


async def judged(context: Context, number: int, attempt: Callable[[], Awaitable[Attempt]]) -> LineVerdict:
    """What `submit` says of a line. Raises nothing, whatever goes wrong."""
    try:
        done, replayed = await submissions.submit(context, await attempt())
        return LineVerdict(line=number, status=201, response_id=done.response_id, replayed=replayed)
    except Problem as problem:
        return _refused(number, problem)
    except PyMongoError as fault:
        if (known := mongo.as_problem(fault)) is None:
            log.exception("a line of a batch could not be judged")
        return _refused(number, known or InternalError("Something went wrong here; the log has it."))
    except Exception:
        log.exception("a line of a batch could not be judged")
        return _refused(number, InternalError("Something went wrong here; the log has it."))


def _refused(number: int, problem: Problem) -> LineVerdict:
    faults = [_fault(fault) for fault in problem.errors]
    verdict = LineVerdict(line=number, status=problem.status, detail=problem.detail, errors=faults)
    if problem.status in _OURS:
        verdict.retry_after = problem.retry_after or _AGAIN
    return verdict


def _fault(fault: FieldError) -> LineFault:
    return LineFault(fault.path, fault.message)


def encoded(verdict: LineVerdict) -> bytes:
    """A line that is wrong in many places is told of few."""
    encoded = msgspec.json.encode(verdict)
    while len(encoded) > _LONGEST_VERDICT and verdict.errors:
        verdict.errors = verdict.errors[: len(verdict.errors) // 2]
        encoded = msgspec.json.encode(verdict)
    return encoded + b"\n"
