"""From the file that the guardian leaves to the event that everybody hears of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.addresses import Paths
from appliance.runtime.guardian.alerts import keep
from appliance.tasks import alerts
from tests.api.webhooks import OK, clear, hook
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until

DATA = {"alert": "program_down", "program": "scheduler", "attempts": 10, "error": "exit status 1"}


@pytest.fixture(autouse=True)
def _cleared(cast: People) -> Iterator[None]:
    yield
    clear(cast.admin)


def kept(paths: Paths) -> list[Path]:
    return list(paths.alerts.iterdir())


def test_an_alert_is_told_once_however_often_the_guardian_died_over_it(
    appliance: Running, cast: People
) -> None:
    paths, alert_id = appliance.paths, unique("program-down:scheduler")
    with hook(cast.admin, OK, events=["alert.fired"]) as subscribed:
        keep(paths, alert_id, DATA)
        until(lambda: not kept(paths), 60, "the guardian has told it")
        keep(paths, alert_id, DATA)
        assert alerts.run(appliance.settings) == 0
        assert not kept(paths)

        def told() -> int:  # other alerts may fire meanwhile
            return sum(each.body["data"] == DATA for each in subscribed.messages("alert.fired"))

        until(told, 20, "the webhook is told")
        assert told() == 1
    with appliance.database() as client:
        row = client.get_default_database("appliance").outbox.find_one({"_id": alert_id})
    assert row is not None
    assert (row["type"], row["state"], row["data"]) == ("alert.fired", "waiting", DATA)


def test_one_that_cannot_be_told_stays(appliance: Running, tmp_path: Path) -> None:
    """The database is away: here, one that nobody has."""
    paths = Paths(tmp_path)
    for folder in (paths.alerts, paths.secrets):
        folder.mkdir(parents=True)
    keep(paths, "program-down:mongo:1", DATA)
    away = replace(
        appliance.settings, data=tmp_path, mongodb_uri="mongodb://127.0.0.1:9/x", redis_uri="redis://x"
    )
    assert alerts.run(away) == 1
    assert len(kept(paths)) == 1
