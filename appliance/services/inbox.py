"""The inbox of alerts: what Alertmanager tells, who has acknowledged it, and what is kept quiet.

Contract: a message of Alertmanager is answered once it is on disk, and else sent again by it; the same one
twice, or the end before the beginning, changes nothing more. Quiet is kept by Alertmanager, by a silence that
has exactly the alert's labels: it is made before the row says so, and not at all when Alertmanager is away.
What becomes of either afterwards, `inbox_settling` looks after.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from appliance import alertmanager, logs, own_alerts
from appliance.clock import is_moment, rfc3339, utc_now
from appliance.domain.access import Caller
from appliance.errors import Conflict, FieldError, Invalid, Unavailable
from appliance.queue.scripts import Job
from appliance.services import inbox_shapes as shapes
from appliance.services import webhook_events
from appliance.services.context import Context
from appliance.services.forms import next_cursor
from appliance.stores import audit, inbox
from appliance.stores.inbox import Step
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

HOLD: Final = dt.timedelta(minutes=30)
"""What an acknowledged alert is kept quiet for at a time: when nobody prolongs it, it is told again."""
LONGEST: Final = dt.timedelta(days=30)
OPERATOR: Final = "operator"
"""Who works at the machine itself."""
SECONDS: Final = 3.0
"""That Alertmanager has for an answer while somebody waits: less than `mongo.DEADLINE`, which bounds both."""
AT_ONCE: Final = 2

_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="alertmanager")
"""Of its own: while Alertmanager hangs, no submission waits for a thread."""
_turns = asyncio.Semaphore(AT_ONCE)
_PATIENCE: Final = 0.5

log = logs.get(__name__)


async def receive(context: Context, told: list[shapes.Told]) -> int:
    """Take down what Alertmanager tells; how many rows changed. Raises PyMongoError."""
    ids = {inbox.alert_id(each.fingerprint, alertmanager.cut(each.startsAt)): each for each in told}
    known, done = await inbox.known(context.db, ids), 0
    strange = {each.fingerprint for alert_id, each in ids.items() if alert_id not in known}
    still = {row["fingerprint"]: row for row in await inbox.unended(context.db, strange)}
    for alert_id, each in ids.items():
        row = known.get(alert_id)
        if row is None and (before := still.get(each.fingerprint)) is not None:
            if before.get("told_as") != alertmanager.cut(each.startsAt):
                continue  # whether it goes on, or is another one, `inbox_settling` finds out
            row = before
        if row is None:
            done += await add(context, row_of(each), each.status == "firing")
        elif each.status == "resolved" and row["state"] != "resolved":
            await end(context, row, alertmanager.cut(each.endsAt))
            done += 1
    return done


def row_of(told: shapes.Told | alertmanager.Alert, state: str = "firing") -> Document:
    """A new one."""
    started = alertmanager.cut(told.startsAt)
    labels = {name: value for name, value in told.labels.items() if "\0" not in name}  # BSON has no such name
    ended = None
    history = [Step(started, "fired")]
    if isinstance(told, shapes.Told) and told.status == "resolved":
        state, ended = "resolved", alertmanager.cut(told.endsAt)
        history.append(Step(ended, "resolved"))
    return {
        "_id": inbox.alert_id(told.fingerprint, started),
        "fingerprint": told.fingerprint,
        "name": labels.get("alertname", ""),
        "severity": labels.get("severity", "none"),
        "labels": labels,
        "summary": told.annotations.get("summary", "")[:1000],
        "next": told.annotations.get("next", "")[:1000],
        "state": state,
        "started_at": started,
        "ended_at": ended,
        "acknowledged": None,
        "silenced": None,
        "silence_id": None,
        "history": [step._asdict() for step in history],
    }


async def add(context: Context, row: Document, is_event: bool = True) -> bool:
    """A row, and the event `alert.fired`, unless who raised it has written that; False if it is there."""
    jobs: list[Job] = []
    is_event = is_event and (row["name"] not in own_alerts.KINDS or row["name"] == "Test")

    async def tell(session: Session, whole: Document) -> None:
        data = {
            "alert": whole["name"],
            "alert_id": whole["_id"],
            "severity": whole["severity"],
            "summary": whole["summary"],
            "next": whole["next"],
            "runbook": own_alerts.runbook(whole["name"]),
            "labels": whole["labels"],
            "started_at": rfc3339(whole["started_at"]),
        }
        event = (f"alert:{whole['_id']}", whole["started_at"], data)
        jobs[:] = await webhook_events.alert_fired(context, session, *event)

    is_new = await inbox.insert(context.db, row, tell if is_event else None)
    if jobs:
        try:
            await context.sender.send(jobs)
        except RedisError:  # the relay sends it
            log.debug("sent later", extra={"alert": row["_id"]})
    return is_new


async def end(context: Context, row: Document, at: dt.datetime) -> Document:
    """It is over. What keeps it quiet still does: `inbox_settling` ends that."""

    def decide(now: Document) -> Document | None:
        if now["state"] == "resolved":
            return None
        return {"state": "resolved", "ended_at": at, "open": now["silence_id"] and True}

    return await inbox.change(context.db, row["_id"], decide, Step(at, "resolved"))


async def newest(context: Context, state: str | None, cursor: str | None, limit: int) -> shapes.Alerts:
    """A page, the last ones to begin first."""
    scope = f"alerts\0{state}"
    high = context.cursors.read(scope, cursor) if cursor else None
    page = await inbox.newest(context.db, {"state": state} if state else {}, high, limit)
    return shapes.Alerts([shape(row) for row in page.rows], next_cursor(context, scope, page))


async def get(context: Context, alert_id: str) -> shapes.Alert:
    """Raises NotFound."""
    return shape(await inbox.get(context.db, alert_id))


async def acknowledge(
    context: Context, caller: Caller | None, alert_id: str, note: str | None
) -> shapes.Alert:
    """Somebody cares for it: it is not told again until it is over. Once more changes nothing.

    Raises NotFound, Conflict, Unavailable.
    """
    row = await inbox.get(context.db, alert_id)
    if row["state"] == "acknowledged":
        return shape(row)
    _check_fires(row)
    now = utc_now()
    about: Document = {"by": _name(caller), "at": now, "note": note}
    fields = {"state": "acknowledged", "acknowledged": about, "silenced": None, "open": True}
    return await _quiet(
        context, caller, row, now + HOLD, fields, Step(now, "acknowledged", about["by"], note)
    )


async def unacknowledge(context: Context, caller: Caller | None, alert_id: str) -> shapes.Alert:
    """It is told again. Raises NotFound, Conflict, Unavailable."""
    row = await inbox.get(context.db, alert_id)
    if row["state"] == "firing":
        return shape(row)
    if row["state"] != "acknowledged":
        raise Conflict("This alert is not acknowledged.")
    fields = {"state": "firing", "acknowledged": None}
    return await _loud(context, caller, row, fields, Step(utc_now(), "unacknowledged", _name(caller)))


async def silence(
    context: Context, caller: Caller | None, alert_id: str, wanted: shapes.Silence
) -> shapes.Alert:
    """Nobody is told of it until then, whether it ends and comes again or not.

    Raises NotFound, Conflict, Invalid, Unavailable.
    """
    row, now = await inbox.get(context.db, alert_id), utc_now()
    until = _until(wanted, now)
    _check_fires(row)
    if row["state"] == "acknowledged":
        raise Conflict("This alert is acknowledged, and so is not told again until it is over.")
    about: Document = {"by": _name(caller), "at": now, "note": wanted.note, "until": until}
    fields = {"state": "silenced", "silenced": about, "open": True}
    step = Step(now, "silenced", about["by"], wanted.note)
    return await _quiet(context, caller, row, until, fields, step)


async def unsilence(context: Context, caller: Caller | None, alert_id: str) -> shapes.Alert:
    """It is told again; of one that is over meanwhile, its end. Raises NotFound, Conflict, Unavailable."""
    row = await inbox.get(context.db, alert_id)
    if row["silenced"] is None or row["silence_id"] is None:
        raise Conflict("This alert is not silenced.")
    fields: Document = {} if row["state"] == "resolved" else {"state": "firing", "silenced": None}
    return await _loud(context, caller, row, fields, Step(utc_now(), "unsilenced", _name(caller)))


async def _quiet(
    context: Context,
    caller: Caller | None,
    row: Document,
    until: dt.datetime,
    fields: Document,
    step: Step,
) -> shapes.Alert:
    """Alertmanager first: a row that says so would not keep it quiet. Dying in between leaves a silence that
    no row names, which is ended soon."""
    silence_id = await _ask(
        alertmanager.silence, context.settings, row["labels"], until, comment(row), row["silence_id"]
    )

    def decide(now: Document) -> Document:
        _check_fires(now)
        return {**fields, "silence_id": silence_id}

    try:
        after = await inbox.change(context.db, row["_id"], decide, step, _deed(caller, row, step))
    except (Conflict, PyMongoError):
        if silence_id != row["silence_id"]:
            await _ask(alertmanager.end_silence, context.settings, silence_id)
        raise
    return shape(after)


async def _loud(
    context: Context, caller: Caller | None, row: Document, fields: Document, step: Step
) -> shapes.Alert:
    """Dying in between, the silence is made again: the row still asks for it."""
    if row["silence_id"] is not None:
        await _ask(alertmanager.end_silence, context.settings, row["silence_id"])
    if row["state"] == "resolved":
        await _ask(alertmanager.post, context.settings, [over(row)])

    def decide(now: Document) -> Document:
        if now["state"] == "resolved":
            return {"silence_id": None, "open": None}  # also if it came to its end just now
        return {**fields, "silence_id": None}

    return shape(await inbox.change(context.db, row["_id"], decide, step, _deed(caller, row, step)))


def over(row: Document) -> dict[str, Any]:
    """Its end, as Alertmanager takes it: one that came while it was quiet is told by this."""
    return {
        "labels": row["labels"],
        "annotations": {"summary": row["summary"], "next": row["next"]},
        "startsAt": rfc3339(row["started_at"]),
        "endsAt": rfc3339(max(row["ended_at"] or utc_now(), row["started_at"])),
    }


def comment(row: Document) -> str:
    """What a silence of ours says of itself: the alert that it was made for."""
    return f"appliance alert {row['_id']}"


async def _ask(ask: Any, *given: Any) -> Any:
    """Raises Unavailable; soon when as many wait for it as may, since it is slow then, or away."""
    try:
        await asyncio.wait_for(_turns.acquire(), _PATIENCE)
    except TimeoutError:
        raise Unavailable("Alertmanager does not answer others either; nothing was changed.") from None

    def work() -> Any:
        with alertmanager.within(SECONDS):
            return ask(*given)

    asking = asyncio.get_running_loop().run_in_executor(_threads, work)
    asking.add_done_callback(lambda _: _turns.release())  # not before, though nobody waits for it any more
    try:
        return await asyncio.shield(asking)
    except alertmanager.Away as fault:
        raise Unavailable(f"{fault}; nothing was changed.") from None


def _check_fires(row: Document) -> None:
    if row["state"] == "resolved":
        raise Conflict("This alert is over.")


def _until(wanted: shapes.Silence, now: dt.datetime) -> dt.datetime:
    if (wanted.seconds is None) == (wanted.until is None):
        fault = FieldError("/seconds", "give `seconds` or `until`")
        raise Invalid("For how long is not clear.", errors=[fault])
    if wanted.seconds is not None:
        return now + dt.timedelta(seconds=wanted.seconds)
    until = alertmanager.cut(wanted.until) if wanted.until and is_moment(wanted.until) else now
    if not now < until <= now + LONGEST:
        fault = FieldError("/until", "must lie in the next 30 days")
        raise Invalid("It cannot be silenced until then.", errors=[fault])
    return until


def _name(caller: Caller | None) -> str:
    return caller.username if caller else OPERATOR


def _deed(caller: Caller | None, row: Document, step: Step) -> audit.Entry:
    details = {"name": row["name"], "labels": row["labels"]}
    return audit.Entry(caller.user_id if caller else None, f"alert.{step.what}", row["_id"], details)


def shape(row: Document) -> shapes.Alert:
    acknowledged, silenced = row["acknowledged"], row["silenced"]
    return shapes.Alert(
        alert_id=row["_id"],
        name=row["name"],
        state=row["state"],
        severity=row["severity"],
        summary=row["summary"],
        next=row["next"],
        runbook=own_alerts.runbook(row["name"]),
        labels=row["labels"],
        started_at=rfc3339(row["started_at"]),
        ended_at=rfc3339(row["ended_at"]) if row["ended_at"] else None,
        acknowledged=acknowledged
        and shapes.Acknowledged(acknowledged["by"], rfc3339(acknowledged["at"]), acknowledged["note"]),
        silenced=silenced
        and shapes.Silenced(
            silenced["by"], rfc3339(silenced["at"]), silenced["note"], rfc3339(silenced["until"])
        ),
        history=[
            shapes.Step(rfc3339(step["at"]), step["what"], step["by"], step["note"])
            for step in row["history"]
        ],
    )
