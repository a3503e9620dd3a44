"""When a backup is due, which are kept, and what is written down of them: no server, times given."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from appliance import settings
from appliance.addresses import Paths
from appliance.backups import book, retention
from appliance.backups.book import SUFFIX, Archive, Kind
from appliance.clock import last_tick, parse_rfc3339, rfc3339, utc_now
from appliance.errors import Conflict
from appliance.services import backups
from appliance.settings import Settings
from appliance.tasks.backups import Backups

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
FAR = NOW + 1000 * DAY


def asked(data: Path, **environ: str) -> Settings:
    (data / "backups").mkdir(parents=True, exist_ok=True)
    return settings.load({"APPLIANCE_DATA": str(data), **environ}, dotenv=data / "none")


def put(chosen: Settings, moment: dt.datetime, *, size: int = 5, fault: str | None = None) -> Path:
    """An archive as the appliance makes one, as far as names go."""
    path = backups.folder_of(chosen) / f"appliance-{moment:%Y-%m-%dT%H-%M-%S}Z{SUFFIX}"
    path.write_bytes(b"x" * size)
    with book.changing(chosen.data / "backups") as noted:
        name = book.name(chosen.data / "backups", path)
        noted.archives[name] = Archive(moment, 5, 1, moment, fault=fault)
    return path


def succeed(chosen: Settings, kind: Kind, moment: dt.datetime) -> None:
    with book.changing(chosen.data / "backups") as noted:
        noted.course(kind).succeed(moment, "any", 1, 1, 1.0)


@pytest.mark.parametrize(
    "expression,zone,moment,tick",
    [
        ("30 3 * * *", "UTC", "2026-11-28T03:30:00Z", "2026-11-28T03:30:00.000Z"),
        ("30 3 * * *", "UTC", "2026-11-28T03:29:59Z", "2026-11-27T03:30:00.000Z"),
        ("30 3 * * *", "Europe/Berlin", "2026-11-28T03:29:59Z", "2026-11-28T02:30:00.000Z"),
        ("30 3 * * *", "Europe/Berlin", "2026-07-28T03:29:59Z", "2026-07-28T01:30:00.000Z"),
    ],
)
def test_the_last_time_of_an_expression(expression: str, zone: str, moment: str, tick: str) -> None:
    assert rfc3339(last_tick(expression, zone, parse_rfc3339(moment))) == tick


def test_it_is_due_once_a_time_and_made_up_for_after_downtime(tmp_path: Path) -> None:
    chosen = asked(tmp_path)
    assert not backups.is_due(chosen, "backup", NOW), "nobody looks after it yet"
    backups.look_after(chosen, NOW)
    assert not backups.is_due(chosen, "backup", NOW), "what is new waits for its next time"
    later = NOW + 3 * DAY
    assert backups.is_due(chosen, "backup", later)
    succeed(chosen, "backup", later)
    assert not backups.is_due(chosen, "backup", later)
    backups.look_after(chosen, later + DAY)
    assert backups.is_due(chosen, "backup", later + DAY), "a start changes nothing of that"


def test_what_failed_is_tried_again_later_and_at_its_next_time(tmp_path: Path) -> None:
    chosen = asked(tmp_path)
    backups.look_after(chosen, NOW - DAY)
    with book.changing(tmp_path / "backups") as noted:
        noted.backup.fail(NOW, "no disk")
        noted.backup.fail(NOW, "no disk")
    hour = dt.timedelta(hours=1)
    assert not backups.is_due(chosen, "backup", NOW + hour / 2)
    assert backups.is_due(chosen, "backup", NOW + hour)
    told = book.read(tmp_path / "backups").backup
    assert (told.failures, told.failing_since, told.error) == (2, NOW, "no disk")
    succeed(chosen, "backup", NOW)
    told = book.read(tmp_path / "backups").backup
    assert (told.failures, told.failing_since, told.error) == (0, None, None)


def test_an_empty_setting_switches_it_off(tmp_path: Path) -> None:
    chosen = asked(tmp_path, BACKUP_CRON="", BACKUP_DRILL_CRON="")
    backups.look_after(chosen, NOW)
    assert not backups.is_due(chosen, "backup", NOW + 30 * DAY)
    assert not backups.is_due(chosen, "drill", NOW + 30 * DAY)
    assert not backups.is_missing(chosen, "backup", NOW + 30 * DAY)


def test_a_drill_waits_for_something_to_try_out(tmp_path: Path) -> None:
    chosen = asked(tmp_path)
    backups.look_after(chosen, NOW)
    assert not backups.is_due(chosen, "drill", NOW + 8 * DAY)
    put(chosen, NOW)
    assert backups.is_due(chosen, "drill", NOW + 8 * DAY)


def test_one_that_is_asked_for_is_due_at_once_and_once(tmp_path: Path) -> None:
    """Also where none is made at set times, and right after one has failed."""
    chosen = asked(tmp_path, BACKUP_CRON="", BACKUP_DRILL_CRON="")
    with pytest.raises(Conflict, match="no backup"):
        backups.ask(chosen, "drill", NOW)
    assert not backups.is_due(chosen, "backup", NOW)
    assert backups.ask(chosen, "backup", NOW) == NOW
    assert backups.ask(chosen, "backup", NOW + DAY) == NOW, "it is the same one until it is over"
    assert backups.is_due(chosen, "backup", NOW) and not backups.is_due(chosen, "drill", NOW)
    succeed(chosen, "backup", NOW + DAY)
    assert not backups.is_due(chosen, "backup", NOW + DAY)
    put(chosen, NOW)
    chore = Backups()
    chore._failed["drill"] = NOW
    assert chore._rests(chosen, "drill", NOW + dt.timedelta(seconds=1))
    backups.ask(chosen, "drill", NOW + dt.timedelta(seconds=1))
    assert not chore._rests(chosen, "drill", NOW + dt.timedelta(seconds=1))
    backups.failed(chosen, "drill", "cut short")
    assert not backups.is_due(chosen, "drill", NOW + dt.timedelta(seconds=2)), "not by itself"


def test_two_times_without_one_are_told(tmp_path: Path) -> None:
    chosen = asked(tmp_path)
    backups.look_after(chosen, NOW)
    assert not backups.is_missing(chosen, "backup", NOW + DAY)
    assert backups.is_missing(chosen, "backup", NOW + 2 * DAY)
    succeed(chosen, "backup", NOW + DAY)
    assert not backups.is_missing(chosen, "backup", NOW + 2 * DAY)


def test_the_newest_of_days_and_weeks_are_kept() -> None:
    start = dt.datetime(2026, 9, 1, 3, 30, tzinfo=dt.UTC)
    made = {f"{start + number * DAY / 2:%m-%dT%H}": start + number * DAY / 2 for number in range(120)}
    kept = sorted(retention.kept(made, 7, 4, "UTC", FAR))
    # twice a day until 2026-10-30T15:30, a Friday; weeks end on Sundays
    assert kept == [
        "10-11T15", "10-18T15", "10-24T15", "10-25T15", "10-26T15",
        "10-27T15", "10-28T15", "10-29T15", "10-30T15",
    ]  # fmt: skip
    assert retention.kept({}, 7, 4, "UTC", FAR) == set()
    assert retention.kept({"old": start}, 1, 0, "UTC", FAR) == {"old"}, "the newest, however old it is"
    one = {"early": parse_rfc3339("2026-11-27T22:30:00Z"), "late": parse_rfc3339("2026-11-27T23:30:00Z")}
    assert retention.kept(one, 7, 0, "UTC", FAR) == {"late"}
    assert retention.kept(one, 7, 0, "Europe/Berlin", FAR) == {"late", "early"}, (
        "its day there is the next one"
    )


def test_only_what_was_made_here_goes(tmp_path: Path) -> None:
    chosen = asked(tmp_path, BACKUP_KEEP_DAILY="2", BACKUP_KEEP_WEEKLY="0")
    damaged = put(chosen, NOW - 6 * DAY, fault="another key")
    changed = put(chosen, NOW - 5 * DAY, size=6)
    ours = [put(chosen, NOW - number * DAY) for number in reversed(range(4))][::-1]
    another = tmp_path / "backups" / f"appliance-2026-01-01T00-00-00Z{SUFFIX}"
    another.write_bytes(b"another appliance's")
    assert set(backups.prune(chosen, NOW)) == set(ours[2:])
    left = {path for path in (tmp_path / "backups").iterdir() if path.name.startswith("appliance-")}
    assert left == {*ours[:2], another, changed, damaged}
    assert backups.prune(chosen, NOW) == []
    assert backups.newest(chosen) == ours[0]


def test_nothing_goes_while_the_newest_is_not_whole(tmp_path: Path) -> None:
    chosen = asked(tmp_path, BACKUP_KEEP_DAILY="1", BACKUP_KEEP_WEEKLY="0")
    for number in reversed(range(3)):
        put(chosen, NOW - number * DAY, fault=None if number else "cut")
    assert backups.prune(chosen, NOW) == []
    put(chosen, NOW + DAY)
    assert len(backups.prune(chosen, NOW + DAY)) == 2


def test_nothing_goes_while_one_is_made(tmp_path: Path) -> None:
    chosen = asked(tmp_path)
    with backups.alone(Paths(tmp_path)), pytest.raises(Conflict):
        backups.prune(chosen)


def test_folders_of_others_are_their_own(tmp_path: Path) -> None:
    """Two appliances with one folder: neither removes what the other has made."""
    folder = tmp_path / "shared"
    folder.mkdir()
    keep = {"BACKUP_FOLDER": str(folder), "BACKUP_KEEP_DAILY": "1", "BACKUP_KEEP_WEEKLY": "0"}
    one, other = asked(tmp_path / "one", **keep), asked(tmp_path / "other", **keep)
    ours = [put(one, NOW - number * DAY) for number in reversed(range(3))][::-1]
    theirs = [put(other, NOW - number * DAY - DAY / 4) for number in range(3)]
    assert set(backups.prune(one, NOW)) == set(ours[1:])
    assert all(path.exists() for path in theirs)
    assert {row.path for row in backups.rows(one) if row.known is None} == set(theirs)


def test_a_book_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    chosen = asked(tmp_path)
    put(chosen, NOW)
    (tmp_path / "backups" / book.FILE).write_text("{")
    assert book.read(tmp_path / "backups") == book.Book()
    assert backups.prune(chosen, NOW) == []
    backups.look_after(chosen, NOW)
    assert book.read(tmp_path / "backups").backup.since == NOW


def test_what_a_killed_one_left_goes_at_the_next_start(tmp_path: Path) -> None:
    chosen = asked(tmp_path, BACKUP_FOLDER=str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    left = tmp_path / "elsewhere" / f".appliance-2026-01-01T00-00-00Z{SUFFIX}.new"
    left.write_bytes(b"half")
    (tmp_path / "backups" / backups.SCRATCH / "mongo").mkdir(parents=True)
    with backups.alone(Paths(tmp_path)):
        backups.look_after(chosen, NOW)
        assert left.exists(), "somebody is at work"
    backups.look_after(chosen, NOW)
    assert not left.exists() and not (tmp_path / "backups" / backups.SCRATCH).exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("kind", ["backup", "drill"])
@pytest.mark.parametrize("what", ["since", "succeeded_at", "failed_at"])
def test_a_moment_that_is_yet_to_come_counts_as_never(tmp_path: Path, kind: Kind, what: str) -> None:
    """The clock was wrong for a moment, in which one was made; then it was put right."""
    chosen, ahead = asked(tmp_path), dt.datetime(2030, 1, 1, 4, tzinfo=dt.UTC)
    put(chosen, NOW - 30 * DAY)
    backups.look_after(chosen, ahead if what == "since" else NOW - 30 * DAY)
    if what == "succeeded_at":
        succeed(chosen, kind, ahead)
    if what == "failed_at":
        with book.changing(tmp_path / "backups") as noted:
            noted.course(kind).fail(ahead, "no disk")
    assert backups.is_due(chosen, kind, NOW) and backups.is_missing(chosen, kind, NOW)
    succeed(chosen, kind, NOW)
    assert not backups.is_due(chosen, kind, NOW) and not backups.is_missing(chosen, kind, NOW)
    assert backups.is_due(chosen, kind, NOW + 8 * DAY) and backups.is_missing(chosen, kind, NOW + 22 * DAY)
    backups.look_after(chosen, NOW)
    assert (book.read(tmp_path / "backups").course(kind).since or ahead) <= NOW


def test_one_that_was_asked_for_by_a_wrong_clock_is_made_once(tmp_path: Path) -> None:
    chosen, now = asked(tmp_path, BACKUP_CRON=""), utc_now()
    backups.ask(chosen, "backup", now + 1000 * DAY)
    assert backups.is_due(chosen, "backup", now)
    succeed(chosen, "backup", now)
    assert not backups.is_due(chosen, "backup", now)
    chore = Backups()
    chore._failed["backup"] = now + 1000 * DAY
    assert not chore._rests(chosen, "backup", now)


def test_an_archive_of_a_wrong_clock_takes_no_other_ones_place(tmp_path: Path) -> None:
    """What is made last is the newest whatever its date, and never goes."""
    chosen = asked(tmp_path, BACKUP_KEEP_DAILY="1", BACKUP_KEEP_WEEKLY="0")
    old, ahead = put(chosen, NOW - DAY), put(chosen, NOW + 1000 * DAY)
    last = put(chosen, NOW)
    assert backups.prune(chosen, NOW) == [old]
    assert ahead.exists() and backups.newest(chosen) == last
    back = put(chosen, NOW - 3000 * DAY)
    assert backups.prune(chosen, NOW) == [] and back.exists(), "nor one of a clock that went back"
    assert backups.newest(chosen) == back
    later = put(chosen, NOW + DAY)
    assert set(backups.prune(chosen, NOW + DAY)) == {last, back}
    assert ahead.exists() and later.exists()
