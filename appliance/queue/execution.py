"""One attempt at a task: its context before, its run, and what became of it."""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from huey.exceptions import CancelExecution, RetryTask

from appliance import logs
from appliance.queue import registry
from appliance.queue.interrupts import Cancelled, GivenBack, Interrupts, SoftTimeout
from appliance.queue.redaction import redacted
from appliance.queue.run import Run
from appliance.queue.scripts import Claim
from appliance.queue.states import Verdict

FIRST_WAIT = 10.0
"""Seconds before the first retry; doubled for each further one."""
JITTER = 0.1
"""The wait grows by up to this share of itself, and is never shorter."""
_OUTAGE = 5.0
"""Seconds before a task is tried again that met an outage."""
LARGEST = 1_000_000
"""Bytes of a result, as JSON."""
_LONGEST = 4_000
"""Characters of an error that are kept."""

Runner = Callable[[Awaitable[Any]], Any]
"""Runs a coroutine to its end in this process."""
IsOutage = Callable[[BaseException], bool]
"""Whether an error tells that something which the task needs was away."""

log = logs.get(__name__)


class Permanent(Exception):
    """Raised by a task for what no retry can mend."""


def attempt(run: Run, runner: Runner, interrupts: Interrupts, is_outage: IsOutage) -> tuple[Verdict, float]:
    """Run the task; how that ended, and the seconds it took. Raises nothing: whatever happens is a verdict.

    Before: the request id of its log lines is the task's id, the timer starts. After: `tell` logs the
    outcome, how long it took and waited; the engine counts the same from its commit. Connections are those
    of the process.
    """
    token = logs.request_id.set(run.id)
    started = time.monotonic()
    try:
        verdict = _run(run, runner, interrupts, is_outage)
    finally:
        logs.request_id.reset(token)
    return verdict, time.monotonic() - started


def tell(claim: Claim, verdict: Verdict, seconds: float) -> None:
    """The one line that each attempt leaves in the log."""
    about = {
        "request_id": claim.id,
        "task_id": claim.id,
        "task": claim.task,
        "outcome": verdict.outcome,
        "seconds": round(seconds, 4),
        "waited": claim.waited,
        "attempt": claim.attempts,
    }
    level = logging.ERROR if verdict.outcome == "failed" else logging.INFO
    log.log(level, "task", extra=about | ({"error": verdict.error[-500:]} if verdict.error else {}))


def _run(run: Run, runner: Runner, interrupts: Interrupts, is_outage: IsOutage) -> Verdict:
    claim = run.claim
    try:
        function, arguments = _understood(claim)
        with interrupts(claim.soft):
            result = runner(function(run, **arguments))
        return Verdict("completed", result=_encoded(result))
    except GivenBack:
        return Verdict("queued")
    except Cancelled:
        return Verdict("cancelled", error="cancelled while it ran")
    except Permanent as fault:  # foreseen, so its words say it all
        return Verdict("failed", error=redacted(str(fault))[-_LONGEST:])
    except CancelExecution as fault:
        return _again(claim, _told(fault)) if fault.retry else Verdict("failed", error=_told(fault))
    except RetryTask as fault:  # the task's own wish, and no error: none of its retries is used up
        return Verdict("retrying", due=time.time() + (fault.delay or 0), counts=False)
    except SoftTimeout:
        return _again(claim, f"longer than the {claim.soft:g} s that it may run")
    except BaseException as fault:
        if is_outage(fault):  # not the task's fault: it waits until what it needs is back
            return Verdict("retrying", error=_told(fault)[-500:], due=time.time() + _OUTAGE, counts=False)
        return _again(claim, _told(fault))


def _understood(claim: Claim) -> tuple[registry.Function, dict[str, Any]]:
    """Raises Permanent for a message that no retry will make sense of."""
    try:
        arguments = msgspec.json.decode(claim.arguments, type=dict[str, Any])
        return registry.function(claim.task), arguments
    except (LookupError, ValueError) as fault:
        raise Permanent(str(fault)) from fault


def _encoded(result: Any) -> bytes:
    """Raises Permanent for what Redis should not keep."""
    try:
        encoded = msgspec.json.encode(result)
    except (TypeError, ValueError) as fault:
        raise Permanent(f"its result is not JSON: {fault}") from fault
    if len(encoded) > LARGEST:
        raise Permanent(
            f"its result has {len(encoded)} bytes, at most {LARGEST} are kept: store it, return its id"
        )
    return encoded


def _again(claim: Claim, error: str) -> Verdict:
    """A retry, as long as there are any."""
    if claim.retries >= claim.max_retries:
        return Verdict("failed", error=error)
    wait = FIRST_WAIT * 2**claim.retries
    return Verdict("retrying", error=error, due=time.time() + wait * (1 + random.random() * JITTER))  # noqa: S311


def _told(fault: BaseException) -> str:
    """The error and where it was raised, without what the variables held."""
    whole = "".join(traceback.format_exception(fault))
    return redacted(whole[-2 * _LONGEST :])[-_LONGEST:]  # cut after: a cut could part a name from its secret
