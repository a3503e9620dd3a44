"""What is kept of a person: asking for it, reading it out, having it erased. For admins and the operator.

Contract: what was asked for (an address, say) is kept sealed, and only until it was looked for; the record
that stays has a keyed hash of it. What is erased is what was found, no more: what came later is found by
asking again.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, structs

from appliance.clock import new_id, rfc3339, utc_now
from appliance.domain import subject as subjects
from appliance.errors import Conflict, FieldError, Invalid
from appliance.queue.scripts import Job
from appliance.services import background, repeats
from appliance.services.background import Accepted
from appliance.services.context import Context
from appliance.services.erasure_shapes import By, Erasure, Erasures, FoundInForm, StartErasure, Subject
from appliance.services.users import next_cursor
from appliance.stores import audit, erasures, idempotency, users
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

FIND, ERASE = erasures.FIND, erasures.ERASE
_FIELDS: tuple[By, ...] = ("user_id", "answer", "response_ids")


def given(subject: Subject) -> list[By]:
    """By what it is sought."""
    return [name for name in _FIELDS if getattr(subject, name) is not UNSET]


async def start(
    context: Context, actor: str | None, asked: StartErasure, key: idempotency.Key | None = None
) -> tuple[Accepted, bool]:
    """Promise to look for it, and whether that is the repeated answer to a key. The erasure has the id of
    that task. Raises Invalid, NotFound (user_id).
    """
    by = given(asked.subject)
    if not by:
        fault = FieldError("/subject", "needs one of user_id, answer, response_ids")
        raise Invalid("Nobody is asked for.", errors=[fault])
    if isinstance(asked.subject.answer, str) and not subjects.spelled(asked.subject.answer):
        fault = FieldError("/subject/answer", "has nothing but spaces")
        raise Invalid("Nobody is asked for.", errors=[fault])
    if asked.account and "user_id" not in by:
        fault = FieldError("/account", "needs subject.user_id, the account to erase")
        raise Invalid("No account is named.", errors=[fault])
    if asked.account and isinstance(asked.subject.user_id, str):
        await users.get(context.db, asked.subject.user_id)
    job = Job(new_id(), FIND, {}, owner=actor or "")
    plain = msgspec.json.encode(asked.subject, order="deterministic").decode()
    row: Document = {
        "_id": job.id,
        "state": "finding",
        "dry_run": asked.dry_run,
        "account": asked.account,
        "by": by,
        "fingerprint": context.subjects.derive("erasure", _spelled(asked.subject)),
        "form_id": None if asked.form_id is UNSET else asked.form_id,
        "user_id": asked.subject.user_id if asked.account else None,
        "subject": context.sealer.seal(sealed_as(job.id), plain),
        "actor": actor,
        "asked_at": utc_now(),
    }
    deed = audit.Entry(actor, "erasure.asked", job.id, {"by": by, "dry_run": asked.dry_run})

    async def write(session: Session) -> Accepted:
        await erasures.insert(context.db, session, row, job, deed)
        return background.accepted(job)

    taken = "A request with this Idempotency-Key is under way."
    answer, replayed = await repeats.once(context, key, Accepted, write, taken)
    if not replayed:
        background.begin(context, job)
    return answer, replayed


def subject_of(context: Context, row: Document) -> Subject:
    """Whom it asks for, as long as that is not known yet. Raises security.sealing.Broken."""
    return msgspec.json.decode(context.sealer.open(sealed_as(row["_id"]), row["subject"]), type=Subject)


def sealed_as(erasure_id: str) -> str:
    return f"erasure:{erasure_id}"


def _spelled(subject: Subject) -> str:
    """The same for the same question, however it is written."""
    answer = UNSET if subject.answer is UNSET else subjects.spelled(subject.answer)
    return msgspec.json.encode(structs.replace(subject, answer=answer), order="deterministic").decode()


async def get(context: Context, erasure_id: str) -> Erasure:
    """Raises NotFound."""
    return shape(await erasures.get(context.db, erasure_id))


async def newest(context: Context, cursor: str | None, limit: int) -> Erasures:
    high = context.cursors.read("erasures", cursor) if cursor else None
    page = await erasures.newest(context.db, high, limit)
    return Erasures([shape(row) for row in page.rows], next_cursor(context, "erasures", page))


async def confirm(context: Context, actor: str | None, erasure_id: str) -> Accepted:
    """Have erased what was found. The same again gives the same task. Raises NotFound, Conflict, the latter
    for the last active admin too.
    """
    row = await erasures.get(context.db, erasure_id)
    if row["state"] == "erasing":
        return background.accepted(Job(row["task_id"], ERASE, {}))
    if row["state"] not in ("found", "failed") or "finds" not in row:
        raise Conflict(f"Only what was found can be erased; this one is {row['state']}.")
    job = Job(new_id(), ERASE, {"erasure_id": erasure_id}, owner=actor or "")
    total = sum(each["responses"] for each in row["found"])
    deed = audit.Entry(actor, "erasure.confirmed", erasure_id, {"responses": total})
    await erasures.confirm(context.db, erasure_id, row["user_id"], job, deed)
    return background.begin(context, job)


def shape(row: Document) -> Erasure:
    return Erasure(
        erasure_id=row["_id"],
        state=row["state"],
        by=row["by"],
        fingerprint=row["fingerprint"],
        form_id=row["form_id"],
        account=row["account"],
        dry_run=row["dry_run"],
        asked_by=row["actor"],
        asked_at=rfc3339(row["asked_at"]),
        found=[FoundInForm(**each) for each in row.get("found", ())],
        found_at=rfc3339(row["found_at"]) if row.get("found_at") else None,
        confirmed_by=row.get("confirmed_by"),
        erased_at=rfc3339(row["erased_at"]) if row.get("erased_at") else None,
        error=row.get("error"),
    )
