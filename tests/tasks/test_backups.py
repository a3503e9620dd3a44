"""The scheduler's chore: a child when it is time, one alert for a row of failures, nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance import processes
from appliance.addresses import Paths
from appliance.backups import book
from appliance.backups.book import SUFFIX, Book
from appliance.clock import utc_now
from appliance.services import backups
from appliance.services.context import Context, open_context
from appliance.settings import HOME, Settings
from appliance.tasks.backups import Backups
from tests.running import Running
from tests.runtime.servers import PATIENCE

DAILY, WEEKLY = "30 3 * * *", "30 4 * * 0"
PAST = utc_now() - dt.timedelta(days=2)
"""So long it has been looked after: the time of a backup has come."""


@pytest.fixture
def chosen(appliance: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The session's appliance, with a folder and a book of the test's own."""
    own, folder = appliance.paths.backups, tmp_path / "kept"
    folder.mkdir()
    own_environ = {"BACKUP_FOLDER": str(folder), "BACKUP_CRON": DAILY, "BACKUP_DRILL_CRON": WEEKLY}
    for name, value in {**appliance.environ, **own_environ, "PYTHONPATH": str(HOME)}.items():
        monkeypatch.setenv(name, value)
    before = (own / book.FILE).read_bytes() if (own / book.FILE).exists() else None
    (own / book.FILE).unlink(missing_ok=True)
    made = replace(appliance.settings, backup_folder=folder, backup_cron=DAILY, backup_drill_cron=WEEKLY)
    backups.look_after(made, PAST)
    with book.changing(own) as noted:
        noted.drill.since = utc_now()
    yield made
    (own / book.FILE).unlink()
    if before is not None:
        (own / book.FILE).write_bytes(before)


def noted(chosen: Settings) -> Book:
    return book.read(chosen.data / "backups")


def work(chosen: Settings, use: Callable[[Context], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        context = open_context(chosen)
        try:
            await use(context)
        finally:
            await context.close()

    asyncio.run(whole())


def alerts(appliance: Running, kind: str) -> list[dict[str, Any]]:
    with appliance.database() as client:
        rows = client.get_default_database("appliance").outbox.find({"type": "alert.fired"})
        return [row for row in rows if row["data"]["alert"] == kind and row["created_at"] >= PAST]


def test_it_is_made_when_it_is_time_and_once(chosen: Settings) -> None:
    async def use(context: Context) -> None:
        chore = Backups()
        assert [await chore(context, utc_now) for _ in range(3)] == [1, 0, 0]
        with book.changing(chosen.data / "backups") as found:
            found.drill.since = utc_now() - dt.timedelta(days=8)
        assert [await chore(context, utc_now) for _ in range(2)] == [1, 0]

    work(chosen, use)
    (path,) = (chosen.backup_folder or HOME).glob(f"appliance-*{SUFFIX}")
    assert noted(chosen).backup.archive == noted(chosen).drill.archive == str(path)


def test_a_row_of_failures_is_one_alert(appliance: Running, chosen: Settings) -> None:
    assert chosen.backup_folder is not None
    chosen.backup_folder.rmdir()
    known = len(alerts(appliance, "backup_failed"))
    late = utc_now() + 2 * backups.AGAIN["backup"]

    async def use(context: Context) -> None:
        chore = Backups()
        assert await chore(context, utc_now) == 1
        assert await chore(context, utc_now) == 0, "not again at once"
        assert await chore(context, lambda: late) == 1
        assert await Backups()(context, utc_now) == 0, "another scheduler tells no other one"

    work(chosen, use)
    assert noted(chosen).backup.failures == 2
    (alert,) = alerts(appliance, "backup_failed")[known:]
    assert "mount its disk" in alert["data"]["error"]
    chosen.backup_folder.mkdir()


def test_a_failed_drill_is_an_alert(appliance: Running, chosen: Settings) -> None:
    async def use(context: Context) -> None:
        chore = Backups()
        assert await chore(context, utc_now) == 1
        (path,) = (chosen.backup_folder or HOME).glob(f"appliance-*{SUFFIX}")
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with book.changing(chosen.data / "backups") as found:
            found.drill.since = PAST - dt.timedelta(days=8)
        assert await chore(context, utc_now) == 1

    known = len(alerts(appliance, "drill_failed"))
    work(chosen, use)
    (alert,) = alerts(appliance, "drill_failed")[known:]
    assert alert["data"]["archive"] == noted(chosen).backup.archive
    assert "does not open" in alert["data"]["error"]


def test_a_child_that_is_killed_has_failed(chosen: Settings) -> None:
    async def use(context: Context) -> None:
        running = asyncio.create_task(Backups()(context, utc_now))
        os.kill(await _child(), signal.SIGKILL)
        assert await running == 1

    work(chosen, use)
    assert (noted(chosen).backup.error or "").startswith("it ended by signal 9")


def test_a_child_that_hangs_is_ended(chosen: Settings) -> None:
    async def use(context: Context) -> None:
        with backups.alone(Paths(chosen.data)):  # it waits for its turn
            assert await Backups(longest=2.0)(context, utc_now) == 1

    work(chosen, use)
    assert (noted(chosen).backup.error or "").startswith("it ended by signal 9")


def test_a_scheduler_that_is_asked_to_end_takes_its_child_along(chosen: Settings) -> None:
    async def use(context: Context) -> None:
        running = asyncio.create_task(Backups()(context, utc_now))
        child = await _child()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert processes.find_stat(child) is None

    work(chosen, use)
    assert noted(chosen).backup.failures == 0
    assert backups.is_due(chosen, "backup", utc_now()), "the next one makes it"


async def _child() -> int:
    before = processes.children(os.getpid())
    for _ in range(200 * PATIENCE):
        if found := processes.children(os.getpid()) - before:
            return found.pop()
        await asyncio.sleep(0.02)
    raise AssertionError("no child was started")
