"""Alerts all the way, and what becomes of them while the database is away."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from appliance import alertmanager
from appliance.runtime.guardian.policy import ATTEMPTS
from tests import people
from tests.api.test_alerts import fire, rows
from tests.faults import alerts_told
from tests.faults.alerts_told import letters
from tests.faults.steering import stopped, supervisorctl
from tests.faults.test_guardian import rewritten
from tests.mailbox import Mailbox
from tests.monitoring.receivers import Receiver
from tests.ops.command import appliance_command
from tests.people import People
from tests.running import Running, running, unique
from tests.runtime.servers import until


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def watched(mailbox: Mailbox, receiver: Receiver) -> Iterator[Running]:
    with running(**alerts_told.environ(receiver, mailbox)) as started:
        yield started


@pytest.fixture(scope="module")
def watchers(watched: Running) -> Iterator[People]:
    with people.gather(watched) as gathered:
        yield gathered


def command(appliance: Running, *words: str) -> tuple[int, str]:
    ended = appliance_command(*words, data=appliance.paths.data, **appliance.environ)
    return ended.returncode, ended.stdout + ended.stderr


def test_it_is_told_while_redis_is_down_and_acknowledged_and_ends(
    watched: Running, watchers: People, mailbox: Mailbox, receiver: Receiver
) -> None:
    steps = alerts_told.follow(watched, watchers.admin, mailbox, receiver, print)
    assert steps["the e-mail is there"] < 120


def test_what_comes_while_the_database_is_away_is_not_lost(watched: Running, watchers: People) -> None:
    name = unique("Away").replace("-", "")
    with stopped(watched, "mongo"):
        fire(watched, name)
        until(lambda: _is_kept(watched, name), 20, "Alertmanager has it")
        assert watchers.admin.get("/api/v1/alerts").status_code == 503
        status, told = command(watched, "alerts", "list")
        assert status == 0 and name in told and "Alertmanager knows" in told
        assert "alerts    " in command(watched, "status")[1]
    watched.until_ready()
    until(lambda: rows(watchers.admin, name), 90, "it has come into the inbox")
    assert len(rows(watchers.admin, name)) == 1


def test_people_hear_of_a_database_that_is_given_up(
    watched: Running, watchers: People, mailbox: Mailbox
) -> None:
    """By the guardian alone: nobody else needs to run for it but Alertmanager."""
    with rewritten(watched) as kept:
        kept.course("mongo").attempts = ATTEMPTS
    watched.signal("mongo")
    until(lambda: letters(mailbox, f"mongo stays down after {ATTEMPTS} attempts"), 60, "it comes by e-mail")
    assert watchers.admin.get("/api/v1/alerts").status_code == 503
    assert supervisorctl(watched, "start", "mongo").returncode == 0
    watched.until_ready()

    def states() -> list[str]:
        return [
            row["state"] for row in rows(watchers.admin, "ProgramGivenUp") if row["labels"]["name"] == "mongo"
        ]

    until(lambda: states() == ["resolved"], 90, "the inbox has it, and that it is over")


def test_the_commands(watched: Running, watchers: People) -> None:
    name = unique("Told").replace("-", "")
    assert "no alert is called" in command(watched, "alerts", "ack", name)[1]
    fire(watched, name, severity="warning")
    until(lambda: rows(watchers.admin, name), 30, "it is in the inbox")
    assert name in command(watched, "doctor")[1].partition("alerts fire: ")[2].partition("\n")[0]
    status, told = command(watched, "alerts", "ack", name, "--note", "I see", "--json")
    assert status == 0 and json.loads(told)["acknowledged"]["note"] == "I see"
    (row,) = rows(watchers.admin, name)
    assert (row["state"], row["acknowledged"]["by"]) == ("acknowledged", "operator")
    assert "acknowledged by operator" in command(watched, "alerts", "list")[1]
    assert "I see" in command(watched, "alerts", "show", row["alert_id"])[1]
    assert command(watched, "alerts", "ack", name, "--undo")[0] == 0
    assert "give 30m" in command(watched, "alerts", "silence", name, "--for", "1s")[1]
    status, told = command(watched, "alerts", "silence", name, "--for", "2h", "--json")
    assert status == 0 and json.loads(told)["state"] == "silenced"
    assert name in command(watched, "status")[1]
    assert name not in command(watched, "doctor")[1]
    assert command(watched, "alerts", "silence", name, "--undo")[0] == 0
    shown = json.loads(command(watched, "alerts", "list", "--json")[1])["alerts"]
    assert next(each for each in shown if each["name"] == name)["state"] == "firing"


def test_a_test_tells_what_came_of_it_on_each_channel(watched: Running, receiver: Receiver) -> None:
    status, told = command(watched, "alerts", "test", "--json")
    outcomes = {each["channel"]: each["outcome"] for each in json.loads(told)["channels"]}
    channels = ("inbox", "e-mail", "Slack", "PagerDuty", "text message")
    assert (status, outcomes) == (0, dict.fromkeys(channels, "delivered"))
    assert [body for path, body in receiver.taken if path == "/sms" and "a test" in json.dumps(body).lower()]
    status, told = command(watched, "alerts", "test", "--severity", "warning")
    assert status == 0 and "not told" in told


def test_a_test_tells_a_channel_that_fails(watched: Running, receiver: Receiver) -> None:
    receiver.refused.add("/slack")
    try:
        status, told = command(watched, "alerts", "test", "--json")
    finally:
        receiver.refused.clear()
    outcomes = {each["channel"]: each["outcome"] for each in json.loads(told)["channels"]}
    assert status == 1 and outcomes["Slack"] == "failed" and outcomes["e-mail"] == "delivered"


def test_a_test_needs_the_appliance(watched: Running) -> None:
    with stopped(watched, "alertmanager"):
        status, told = command(watched, "alerts", "test")
        assert status == 2 and "Alertmanager does not answer" in told and "next: " in told


def _is_kept(appliance: Running, name: str) -> bool:
    return name in {each.labels["alertname"] for each in alertmanager.alerts(appliance.settings)}
