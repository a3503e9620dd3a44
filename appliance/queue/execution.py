"""One attempt at a task: its context before, its run, and what became of it."""

from __future__ import annotations

import json
import random
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from huey.exceptions import CancelExecution, RetryTask

from appliance import logs
from appliance.queue import registry
from appliance.queue.interrupts import Cancelled, GivenBack, Interrupts, SoftTimeout
from appliance.queue.scripts import Claim
from appliance.queue.states import Outcome

FIRST_WAIT = 10.0
"""Seconds before the first retry; doubled for each further one."""
JITTER = 0.1
"""The wait grows by up to this share of itself, and is never shorter."""
_OUTAGE = 5.0
"""Seconds before a task is tried again that met an outage."""
_LONGEST = 4_000
"""Characters of an error that are kept."""

Runner = Callable[[Awaitable[Any]], Any]
"""Runs a coroutine to its end in this process."""

log = logs.get(__name__)


class Permanent(Exception):
    """Raised by a task for what no retry can mend."""


class Verdict(NamedTuple):
    outcome: Outcome
    result: Any = None
    error: str = ""
    due: float = 0
    """Unix seconds of the next attempt, for `retrying`."""
    counts: bool = True
    """Whether a retry is one of those that the task has."""


def attempt(
    claim: Claim, runner: Runner, interrupts: Interrupts, is_outage: Callable[[BaseException], bool]
) -> Verdict:
    """Run the task. Raises nothing: whatever happens is a verdict."""
    token = logs.request_id.set(claim.id)
    started = time.monotonic()
    try:
        verdict = _run(claim, runner, interrupts, is_outage)
    finally:
        logs.request_id.reset(token)
    about = {
        "task_id": claim.id,
        "task": claim.task,
        "outcome": verdict.outcome,
        "seconds": round(time.monotonic() - started, 4),
        "waited": claim.waited,
        "attempt": claim.attempts,
    }
    log.info("task", extra=about | ({"error": verdict.error[-500:]} if verdict.error else {}))
    return verdict


def _run(
    claim: Claim, runner: Runner, interrupts: Interrupts, is_outage: Callable[[BaseException], bool]
) -> Verdict:
    try:
        function = registry.function(claim.task)
        with interrupts(claim.soft):
            result = runner(function(claim.id, **claim.arguments))
        json.dumps(result)
    except GivenBack:
        return Verdict("queued")
    except Cancelled:
        return Verdict("cancelled", error="cancelled while it ran")
    except (Permanent, LookupError) as fault:
        return Verdict("failed", error=_told(fault))
    except CancelExecution as fault:
        return _again(claim, _told(fault)) if fault.retry else Verdict("failed", error=_told(fault))
    except RetryTask as fault:
        return Verdict("retrying", error=_told(fault), due=time.time() + (fault.delay or 0))
    except SoftTimeout:
        return _again(claim, f"longer than the {claim.soft:g} s that it may run")
    except BaseException as fault:
        if is_outage(fault):  # not the task's fault: it waits until what it needs is back
            return Verdict("retrying", error=_told(fault)[-500:], due=time.time() + _OUTAGE, counts=False)
        return _again(claim, _told(fault))
    return Verdict("completed", result=result)


def _again(claim: Claim, error: str) -> Verdict:
    """A retry, as long as there are any."""
    if claim.retries >= claim.max_retries:
        return Verdict("failed", error=error)
    wait = FIRST_WAIT * 2**claim.retries
    return Verdict("retrying", error=error, due=time.time() + wait * (1 + random.random() * JITTER))  # noqa: S311


def _told(fault: BaseException) -> str:
    """The error and where it was raised, without what the variables held."""
    lines = traceback.format_exception(fault)
    return "".join(lines)[-_LONGEST:]
