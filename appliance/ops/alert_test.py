"""`appliance alerts test`: one alert through the whole way, and what came of it on each channel.

By what Alertmanager counts of its requests: that a server took the message is all that it knows.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from typing import Literal, NamedTuple

from appliance import alertmanager
from appliance.alertmanager import Away
from appliance.clock import new_id, utc_now
from appliance.errors import CannotStart
from appliance.ops import inside
from appliance.ops.table import print_table
from appliance.own_alerts import Raised
from appliance.services.context import Context
from appliance.settings import Settings
from appliance.stores import inbox

PATIENCE = 20.0
"""Seconds: Alertmanager waits one before it sends, and tries again what fails."""
LOOK = 0.5
LASTS = dt.timedelta(minutes=5)

Outcome = Literal["delivered", "failed", "unknown", "not set", "not told"]
Counts = dict[tuple[str, str], float]


class Channel(NamedTuple):
    name: str
    kind: str
    """As Alertmanager calls it."""
    setting: str
    is_set: bool
    severities: tuple[str, ...]


def channels(chosen: Settings) -> list[Channel]:
    warned, woken = ("warning", "critical"), ("critical",)
    mail = bool(chosen.alert_email and chosen.smtp_url)
    return [
        Channel("inbox", "webhook", "", True, ("info", *warned)),
        Channel("e-mail", "email", "ALERT_EMAIL and SMTP_URL", mail, warned),
        Channel("Slack", "slack", "ALERT_SLACK_URL", chosen.alert_slack_url is not None, warned),
        Channel("PagerDuty", "pagerduty", "ALERT_PAGERDUTY_KEY", bool(chosen.alert_pagerduty_key), woken),
        Channel("text message", "webhook", "ALERT_SMS_URL", chosen.alert_sms_url is not None, woken),
    ]


class Result(NamedTuple):
    channel: str
    outcome: Outcome
    seconds: float | None
    told: str


def run(severity: str, *, as_json: bool) -> int:
    """0 when all that is set was delivered, else 1. Raises CannotStart."""
    chosen = inside.load_started()
    try:
        results = list(_test(chosen, severity))
    except Away as fault:
        told = f"{fault}; next: ./scripts/appliance status: tests need the appliance to run"
        raise CannotStart(told) from None
    if as_json:
        print(json.dumps({"severity": severity, "channels": [each._asdict() for each in results]}, indent=2))
    else:
        print_table(
            ("CHANNEL", "CAME OF IT", "AFTER", ""),
            [
                (
                    each.channel,
                    each.outcome,
                    "-" if each.seconds is None else f"{each.seconds:.1f} s",
                    each.told,
                )
                for each in results
            ],
        )
    return 0 if all(each.outcome in ("delivered", "not set", "not told") for each in results) else 1


def _test(chosen: Settings, severity: str) -> Iterator[Result]:
    before, began, started = alertmanager.counts(chosen), time.monotonic(), utc_now()
    raised = Raised("Test", started, {"test_id": new_id()}, severity)
    alertmanager.post(chosen, [raised.told(started + LASTS)])
    waiting = {each.name: each for each in channels(chosen) if each.is_set and severity in each.severities}
    done: dict[str, Result] = {}
    try:
        while waiting and time.monotonic() - began < PATIENCE:
            time.sleep(LOOK)
            after = alertmanager.counts(chosen)
            is_there = _is_in_inbox(raised.labels["test_id"]) if "inbox" in waiting else True
            for name, channel in list(waiting.items()):
                if outcome := _outcome(channel, before, after, is_there=is_there):
                    done[name] = _result(name, outcome, time.monotonic() - began)
                    del waiting[name]
    finally:
        alertmanager.post(chosen, [raised.told(utc_now())])
    for channel in channels(chosen):
        yield done.get(channel.name) or _undone(channel, severity)


def _outcome(channel: Channel, before: Counts, after: Counts, *, is_there: bool) -> Outcome | None:
    """None while nobody can say. The inbox is a webhook too, and the last one of them is counted with it."""
    sent = after.get(("sent", channel.kind), 0) - before.get(("sent", channel.kind), 0)
    failed = after.get(("failed", channel.kind), 0) - before.get(("failed", channel.kind), 0)
    if channel.name == "inbox":
        return "delivered" if is_there else None
    if channel.kind == "webhook":
        sent -= 1
        if not is_there:
            return None
    if failed > 0:
        return "failed"
    return "delivered" if sent > 0 else None


def _result(name: str, outcome: Outcome, seconds: float) -> Result:
    told = "next: ./scripts/appliance logs alertmanager" if outcome == "failed" else ""
    return Result(name, outcome, round(seconds, 1), told)


def _undone(channel: Channel, severity: str) -> Result:
    if severity not in channel.severities:
        return Result(channel.name, "not told", None, f"of what is {severity}")
    if not channel.is_set:
        return Result(channel.name, "not set", None, channel.setting)
    return Result(channel.name, "unknown", None, "next: ./scripts/appliance logs alertmanager")


def _is_in_inbox(test_id: str) -> bool:
    async def look(context: Context) -> bool:
        rows = (await inbox.newest(context.db, {"name": "Test"}, None, 20)).rows
        return any(row["labels"].get("test_id") == test_id for row in rows)

    try:
        return inside.run(look)
    except CannotStart:
        return False
