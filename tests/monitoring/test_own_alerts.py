"""What the appliance raises itself comes into its own inbox, by way of Alertmanager, and goes by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from appliance import addresses, alertmanager, own_alerts
from appliance.alertmanager import Away
from appliance.clock import utc_now
from appliance.courses import Book, Course, Phase
from appliance.runtime.guardian import raising
from appliance.services import own_causes
from appliance.services.context import open_context
from tests.monitoring.own_cases import MADE, Made
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until


class Scheduler:
    """Its part, done at once: the one that runs looks each half minute."""

    def __init__(self, appliance: Running) -> None:
        self._settings = appliance.settings
        self._telling = own_causes.Telling()

    def turn(self) -> None:
        async def work() -> None:
            context = open_context(self._settings)
            try:
                await self._telling(context, utc_now)
            finally:
                await context.close()

        asyncio.run(work())


def find(admin: httpx.Client, name: str, made: Made) -> dict[str, Any] | None:
    rows = admin.get("/api/v1/alerts", params={"limit": 200}).json()["alerts"]
    return next(
        (row for row in rows if row["name"] == name and made.labels.items() <= row["labels"].items()), None
    )


@pytest.mark.parametrize("name", MADE)
def test_it_comes_and_goes(appliance: Running, cast: People, name: str) -> None:
    scheduler = Scheduler(appliance)
    with MADE[name](appliance, cast) as made:
        scheduler.turn()
        until(lambda: find(cast.admin, name, made), 40, "it is in the inbox")
        row = find(cast.admin, name, made)
        assert row is not None
        assert made.word in row["summary"] and row["runbook"] == f"docs/alerts.md#{name.lower()}"
        assert row["next"] and row["severity"] in ("info", "warning", "critical")
        assert row["labels"]["host"] == own_alerts.host()

    def is_over() -> bool:
        scheduler.turn()
        found = find(cast.admin, name, made)
        return found is not None and found["state"] == "resolved"

    until(is_over, 60, "it is over")


def test_the_scheduler_tells_it_too(appliance: Running, cast: People) -> None:
    with MADE["DeadLetter"](appliance, cast) as made:
        until(lambda: find(cast.admin, "DeadLetter", made), 60, "it is in the inbox")


def test_what_alertmanager_does_not_take_is_told_again(appliance: Running) -> None:
    name, given = "worker-nobody-else", Book()
    given.courses[name] = Course(Phase.DOWN, attempts=10, why="exit status 1")
    raiser = raising.Raiser(appliance.settings)
    right, password = appliance.paths.alertmanager_password, "wrong\n"
    kept = right.read_text()
    right.write_text(password)
    try:
        raiser.turn(0.0, given)
        raiser.wait()
    finally:
        right.write_text(kept)

    def is_there() -> bool:
        return name in {each.labels.get("name") for each in alertmanager.alerts(appliance.settings)}

    assert not is_there()
    raiser.turn(1.0, given)
    raiser.wait()
    assert not is_there(), "not before its time"
    raiser.turn(60.0, given)
    raiser.wait()
    assert is_there()
    given.courses[name].phase = Phase.UP
    raiser.turn(61.0, given)
    raiser.wait()
    assert not is_there()


def test_one_that_is_away_says_so(appliance: Running) -> None:
    away = replace(appliance.settings, port_base=1)
    with pytest.raises(Away, match="does not answer"):
        alertmanager.alerts(away)
    assert addresses.inner_port(away, "alertmanager") == 3
    with pytest.raises(Away, match="APPLIANCE_MONITORING"):
        alertmanager.alerts(replace(appliance.settings, monitoring=False))
