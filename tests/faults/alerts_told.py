"""Redis is stopped under load, and its alert is followed all the way: `scripts/faults alerts` runs it.

Prometheus, its rules and intervals, Alertmanager, the database and Redis are those of a running appliance.
The mail server, and what looks like Slack, PagerDuty and a gateway for text messages, listen on this machine.
Only ALERT_GROUP and ALERT_REPEAT are shorter than by default, so that nobody waits for four hours. What
begins beside it, and is to come in the same message, is posted to Alertmanager as Prometheus posts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

from appliance import addresses, alertmanager, own_alerts
from appliance.clock import rfc3339, utc_now
from tests import people
from tests.api.forms import publish
from tests.faults.redis_losses import Load
from tests.faults.steering import stopped
from tests.mailbox import Mailbox, mailbox
from tests.monitoring.receivers import Receiver, settings_for
from tests.running import Running, running
from tests.runtime.servers import free_ports, until

GROUP = 5
REPEAT = 20
BESIDE = "OutOfMemoryKill"
_CHANNELS = ("/slack", "/pagerduty", "/sms")


def environ(receiver: Receiver, mail: Mailbox) -> dict[str, str]:
    """What the appliance is started with."""
    return {
        "APPLIANCE_MONITORING": "on",
        "APPLIANCE_PORT_BASE": str(free_ports(len(addresses.INNER_PORTS))),
        "ALERT_GROUP": f"{GROUP}s",
        "ALERT_REPEAT": f"{REPEAT}s",
        **settings_for(receiver, mail.url),
    }


class Course:
    """What happened when, in seconds since Redis was stopped."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.steps: dict[str, float] = {}
        self._say = say
        self._began = time.monotonic()

    def note(self, what: str, moment: float | None = None) -> None:
        self.steps[what] = (moment or time.monotonic()) - self._began
        self._say(f"{self.steps[what]:7.1f} s  {what}")

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        until(condition, seconds, what)
        self.note(what)


def letters(mail: Mailbox, *words: str) -> list[str]:
    """The texts of those that have all the words."""
    found = []
    for letter in mail.all():
        part = letter.message.get_body(("plain",))
        text = f"{letter.message['Subject']}\n{part.get_content() if part else ''}"
        if all(word in text for word in words):
            found.append(text)
    return found


def told(receiver: Receiver, path: str, *words: str) -> list[Any]:
    return [
        body
        for where, body in receiver.taken
        if where == path and all(word in json.dumps(body) for word in words)
    ]


def find(admin: httpx.Client, name: str) -> dict[str, Any]:
    """The newest of its name in the inbox; empty while there is none."""
    rows = admin.get("/api/v1/alerts").json()["alerts"]
    return next((row for row in rows if row["name"] == name), {})


def post_beside(appliance: Running, *, over: bool = False) -> None:
    now = utc_now()
    more = {"endsAt": rfc3339(now)} if over else {}
    alert = {
        "labels": {"alertname": BESIDE, "severity": "critical", "host": own_alerts.host()},
        "annotations": {"summary": "The kernel ended a process", "next": "./scripts/appliance status"},
        "startsAt": rfc3339(now),
        **more,
    }
    alertmanager.post(appliance.settings, [alert])


def follow(
    appliance: Running, admin: httpx.Client, mail: Mailbox, receiver: Receiver, say: Callable[[str], None]
) -> dict[str, float]:
    """The times of all steps. Raises AssertionError at the first that does not come."""
    form_id = publish(admin)
    load = Load(admin, form_id, 10)
    with load.running():
        time.sleep(1)
        course = Course(say)
        with stopped(appliance, "redis"):
            _fires(appliance, admin, mail, receiver, course)
            _is_acknowledged(admin, mail, receiver, course)
            taken = len(load.acknowledged)
            time.sleep(1)
            assert len(load.acknowledged) > taken, "responses are taken all the while"
        course.note("Redis runs again")
        _resolves(admin, mail, receiver, course)
    _begins_anew(appliance, admin, course)
    return course.steps


def _fires(
    appliance: Running, admin: httpx.Client, mail: Mailbox, receiver: Receiver, course: Course
) -> None:
    def fires() -> bool:
        return "RedisDown" in {each.labels["alertname"] for each in alertmanager.alerts(appliance.settings)}

    course.until(fires, 120, "RedisDown fires")
    post_beside(appliance)
    course.until(lambda: find(admin, "RedisDown") != {}, 30, "it is in the inbox")
    course.until(lambda: letters(mail, "Redis does not answer") != [], 60, "the e-mail is there")
    (only,) = letters(mail)
    assert "The kernel ended" in only and "and others" in only, "both are in one message"
    until(lambda: all(told(receiver, path) for path in _CHANNELS), 30, "all are told")
    for path in _CHANNELS:
        course.note(f"{path[1:]} is told", receiver.moments[[at for at, _ in receiver.taken].index(path)])
    pages = told(receiver, "/pagerduty", "Redis does not answer")
    assert pages[0]["event_action"] == "trigger" and BESIDE not in json.dumps(pages[0])
    assert told(receiver, "/slack", "Redis does not answer", "The kernel ended")
    course.until(lambda: len(told(receiver, "/slack", "Redis")) > 1, 60, "Slack is told again")


def _is_acknowledged(admin: httpx.Client, mail: Mailbox, receiver: Receiver, course: Course) -> None:
    alert_id = find(admin, "RedisDown")["alert_id"]
    answer = admin.post(f"/api/v1/alerts/{alert_id}/acknowledge", json={"note": "I am at it"})
    assert answer.status_code == 200, answer.text
    course.note("it is acknowledged, Redis being down")
    time.sleep(1)  # what was on its way
    before = len(letters(mail, "Redis does")), len(told(receiver, "/slack", "Redis does"))
    beside = len(letters(mail, "The kernel ended"))
    time.sleep(2 * REPEAT + 5)
    assert (len(letters(mail, "Redis does")), len(told(receiver, "/slack", "Redis does"))) == before
    assert len(letters(mail, "The kernel ended")) > beside, "what nobody has acknowledged is told again"
    row = admin.get(f"/api/v1/alerts/{alert_id}").json()
    assert (row["state"], row["acknowledged"]["by"], row["acknowledged"]["note"]) == (
        "acknowledged", "admin", "I am at it",
    )  # fmt: skip
    course.note("nobody was told again since")


def _resolves(admin: httpx.Client, mail: Mailbox, receiver: Receiver, course: Course) -> None:
    course.until(lambda: find(admin, "RedisDown")["state"] == "resolved", 90, "it is over in the inbox")
    over = "Over: Redis does not answer"
    course.until(lambda: letters(mail, over) != [], 60, "its end comes by e-mail")
    course.until(lambda: told(receiver, "/slack", over) != [], 60, "Slack hears of its end")

    def ended() -> bool:
        return any(body["event_action"] == "resolve" for body in told(receiver, "/pagerduty", over))

    course.until(ended, 60, "PagerDuty hears of its end")
    row = find(admin, "RedisDown")
    assert [step["what"] for step in row["history"]] == ["fired", "acknowledged", "resolved"]
    assert row["acknowledged"]["by"] == "admin"


def _begins_anew(appliance: Running, admin: httpx.Client, course: Course) -> None:
    """What was acknowledged was that one time: no silence of ours is left for the next."""
    assert alertmanager.look(appliance.settings).silences == []
    post_beside(appliance, over=True)
    course.until(lambda: find(admin, BESIDE)["state"] == "resolved", 60, "what began beside it is over")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/faults alerts", description=__doc__)
    parser.parse_args()
    receiver = Receiver()
    try:
        with mailbox() as mail, running(**environ(receiver, mail)) as appliance:
            with people.gather(appliance) as cast:
                follow(appliance, cast.admin, mail, receiver, print)
    finally:
        receiver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
