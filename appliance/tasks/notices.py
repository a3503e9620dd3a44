"""Queue `default`: e-mail about responses."""

from __future__ import annotations

from collections.abc import Awaitable

from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.services import mail, notices
from appliance.tasks import process


@process.task("notify_watchers")
async def notify_watchers(run: Run, *, form_id: str, response_id: str, to: str) -> None:
    """Tell one of the form's watchers of a response."""
    await _sent(notices.notify(process.context(), form_id, response_id, to, run.id))


@process.task("send_receipt")
async def send_receipt(run: Run, *, form_id: str, response_id: str, to: str) -> None:
    """Tell whoever answered that their response has arrived."""
    first = run.claim.attempts == 1
    await _sent(notices.receipt(process.context(), form_id, response_id, to, run.id, is_first_try=first))


async def _sent(sending: Awaitable[None]) -> None:
    """What the mail server will never take is not tried again."""
    try:
        await sending
    except mail.RefusedError as fault:
        raise Permanent(str(fault)) from None
