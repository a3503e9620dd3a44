"""Having the free text of responses read, and what was found. `analysis_running` is what the task does."""

from __future__ import annotations

import datetime as dt
from typing import Any

from appliance.clock import rfc3339
from appliance.domain.access import Caller, Level
from appliance.errors import BadRequest, FieldError, NotFound, Unavailable
from appliance.queue.scripts import Job
from appliance.services import ai_models, analysis_forms, background, repeats, webhooks
from appliance.services.analysis_shapes import Drafted, Insight, Insights, ResponseInsights, StartAnalysis
from appliance.services.background import Accepted
from appliance.services.context import Context
from appliance.services.forms import visible_state
from appliance.stores import ai_results, audit, forms
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session

TASK = "analyze"


async def start(
    context: Context, caller: Caller, form_id: str, asked: StartAnalysis, given_key: str | None
) -> tuple[Accepted, bool]:
    """Promise the analysis, and whether that is the repeated answer to a key.

    Raises NotFound, BadRequest (webhook_url), Unavailable while AI is off.
    """
    await visible_state(context, caller, form_id, Level.VIEW)
    if asked.webhook_url is not None:
        webhooks.check_url(asked.webhook_url, "/webhook_url")
    found = ai_models.condition(context.settings)
    if found.kind == "off":  # while it is being built, the task waits for it
        raise Unavailable("AI is off on this machine; its operator's `appliance status` says why.")
    arguments: dict[str, Any] = {"form_id": form_id}
    if asked.response_ids is not None:
        arguments["response_ids"] = asked.response_ids
    if asked.since is not None:
        arguments["since"] = _since(asked.since)
    made: list[Job] = []

    async def write(session: Session) -> Accepted:
        job = await background.promise(
            context, session, caller, TASK, arguments, webhook_url=asked.webhook_url
        )
        await audit.record(
            context.db, session, audit.Entry(caller.user_id, "responses.analyzed", form_id, {})
        )
        made[:] = [job]
        return background.accepted(job)

    key = repeats.key(context, caller, f"/api/v1/forms/{form_id}/analyze", given_key, asked)
    answer, replayed = await repeats.once(
        context, key, Accepted, write, "A request with this Idempotency-Key is under way."
    )
    if made and not replayed:
        background.begin(context, made[0])
    return answer, replayed


def _since(moment: dt.datetime) -> str:
    try:
        return rfc3339(moment)
    except OverflowError:  # the offset leads out of the years that there are
        fault = FieldError("/since", "a time between the years 1 and 9999 of UTC is needed")
        raise BadRequest("A time is not valid.", errors=[fault]) from None


async def of_form(context: Context, caller: Caller, form_id: str) -> Insights:
    """Raises NotFound, also before the first analysis has ended."""
    await visible_state(context, caller, form_id, Level.VIEW)
    row = await ai_results.find_form(context.db, form_id)
    if row is None:
        raise NotFound(f"Nothing has been read yet; POST /api/v1/forms/{form_id}/analyze.")
    return await analysis_forms.whole(context, row)


async def of_responses(
    context: Context, caller: Caller, form_id: str, cursor: str | None, limit: int
) -> ResponseInsights:
    """A page, the newest responses first. Raises NotFound, BadRequest."""
    await visible_state(context, caller, form_id, Level.VIEW)
    scope = f"insights\0{form_id}"
    if cursor is not None:
        high = int(context.cursors.read(scope, cursor))
    else:
        high = int((await forms.get_counters(context.db, form_id))["seq"])
    low = max(1, high - limit + 1)
    rows = await ai_results.window(context.db, form_id, low, high)
    following = context.cursors.sign(scope, low - 1) if low > 1 else None
    return ResponseInsights([_shape(row) for row in rows], following)


def _shape(row: Document) -> Insight:
    result = row["result"]
    drafted = result.get("drafted")
    return Insight(
        response_id=row["_id"],
        revision=row["revision"],
        sentiment=result["sentiment"],
        confidence=result["confidence"],
        categories=result.get("categories", []),
        phrases=result.get("phrases", []),
        language=result.get("language"),
        suspicions=result.get("suspicions", []),
        duplicate_of=result.get("duplicate_of"),
        analysis=result["analysis"],
        draft=drafted is not None,
        drafted=None if drafted is None else Drafted(**drafted),
        undrafted=result.get("undrafted"),
        inference_time=row["inference_time"],
        as_of=rfc3339(row["created_at"]),
        model=row["model"],
    )
