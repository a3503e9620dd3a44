"""What fires, as Alertmanager knows it: also while the database is what is wrong."""

from __future__ import annotations

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
    """For `status`: `2: RedisDown (critical), CpuBusy (warning, quiet); ./scripts/appliance alerts list`."""
    if found is None:
        return "nobody can say: Alertmanager does not answer"
    if not found:
        return "none"
    names = [f"{row['name']} ({row['severity']}{', quiet' * (row['quiet'] == 'yes')})" for row in found]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)}: {shown(', '.join(names[:5]))}{more}; next: ./scripts/appliance alerts list"
