"""Background work that does not go on, and what failed for good."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.ops import draining
from appliance.ops.findings import Fault, Situation, check


@check("tasks", "background work goes on, and nothing has failed for good", needs_running=True)
def tasks(situation: Situation) -> Iterator[Fault]:
    """Nothing is told while a server is away: `readiness` does."""
    seen = situation.seen
    drained = draining.paused(situation.paths)  # `maintenance` tells of those
    for queue, depth in seen.paused or []:
        if queue in drained:
            continue
        yield (
            "warning",
            f"the queue {queue} is paused, {depth} wait there",
            f"./scripts/appliance queue resume {queue}",
        )
    if seen.letters:
        yield (
            "warning",
            f"tasks have failed for good: {seen.letters}",
            "./scripts/appliance queue list, then queue retry",
        )
    if seen.unwanted:
        yield (
            "warning",
            f"webhooks whose receivers answered 410 are disabled: {seen.unwanted}",
            "their owners enable or delete them (docs/webhooks.md)",
        )
