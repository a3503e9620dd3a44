"""Whether an alert would reach anybody, and which ones do."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.ops import firing
from appliance.ops.findings import Fault, Situation, check
from appliance.runtime import preflight


@check("alerts", "alerts reach somebody")
def alerts(situation: Situation) -> Iterator[Fault]:
    chosen = situation.settings
    hears = (chosen.alert_email and chosen.smtp_url, chosen.alert_slack_url, chosen.alert_pagerduty_key)
    if not chosen.monitoring:
        yield "ok", "APPLIANCE_MONITORING=off: nothing looks for what is wrong, so nobody is told", ""
        return
    if chosen.alert_email and not chosen.smtp_url:
        told = "ALERT_EMAIL is set, but no SMTP_URL: no e-mail is sent"
        yield "warning", told, "set SMTP_URL (docs/settings.md), then ./scripts/appliance reload"
    elif not any(hears) and not chosen.alert_sms_url:
        yield "ok", "nobody is told of alerts: docs/alerts.md has how e-mail, Slack and others are", ""
    for fault in preflight.find_alert_faults(chosen):
        meaning, _, after = fault.partition("; next: ")
        yield "error", meaning, after


@check("firing", "no alert fires that nobody knows of", needs_running=True)
def fires(situation: Situation) -> Iterator[Fault]:
    """What is acknowledged or silenced somebody knows of already."""
    if not situation.settings.monitoring:
        return
    found = firing.now(situation.settings)
    if found is None:
        yield (
            "warning",
            "Alertmanager does not answer: nobody is told of alerts",
            "./scripts/appliance status",
        )
    loud = [row["name"] for row in found or [] if row["quiet"] == "no" and row["severity"] != "info"]
    if loud:
        told = f"alerts fire: {', '.join(dict.fromkeys(loud))}"
        yield "warning", told, "./scripts/appliance alerts list"
