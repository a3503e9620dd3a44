"""What fires, as Alertmanager knows it: also while the database is what is wrong."""

from __future__ import annotations

from collections import Counter

from appliance import alertmanager
from appliance.clock import rfc3339
from appliance.ops.table import shown
from appliance.settings import Settings


def now(chosen: Settings) -> list[dict[str, str]] | None:
    """What Alertmanager is telling, whoever has acknowledged it; None when it does not say.

    Not what another alert stands for, nor the Watchdog, which always is.
    """
    try:
        found = alertmanager.alerts(chosen)
    except alertmanager.Away:
        return None
    return [
        {
            "name": each.labels.get("alertname", ""),
            "severity": each.labels.get("severity", ""),
            "summary": each.annotations.get("summary", ""),
            "next": each.annotations.get("next", ""),
            "started_at": rfc3339(each.startsAt),
            "quiet": "yes" if each.status.silencedBy else "no",
        }
        for each in sorted(found, key=lambda each: each.startsAt)
        if each.labels.get("alertname") != "Watchdog" and not each.status.inhibitedBy
    ]


def in_one_line(found: list[dict[str, str]] | None) -> str:
    """For `status`: `4: RedisDown (critical), 3 times ProgramRestarts (warning); next: …`."""
    if found is None:
        return "nobody can say: Alertmanager does not answer"
    if not found:
        return "none"
    counts = Counter(
        f"{row['name']} ({row['severity']}{', quiet' * (row['quiet'] == 'yes')})" for row in found
    )
    names = [(f"{count} times " if count > 1 else "") + name for name, count in counts.items()][:5]
    rest = sum(list(counts.values())[5:])
    more = f" and {rest} more" if rest else ""
    return f"{len(found)}: {shown(', '.join(names))}{more}; next: ./scripts/appliance alerts list"
