"""Since when a secret is what it is: known again by a keyed hash, and by nothing else."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from appliance import secret_ages, settings
from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.settings import Settings

NOW = utc_now()
DAY = dt.timedelta(days=1)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    made.secrets.mkdir()
    made.redis_password.write_text("a password of Redis\n")
    os.utime(made.redis_password, (0, NOW.timestamp() - 86400))
    return made


@pytest.fixture
def chosen(paths: Paths) -> Settings:
    return settings.load({"APPLIANCE_DATA": str(paths.data)}, dotenv=Path("/nonexistent"))


def ages(chosen: Settings) -> dict[str, dt.timedelta]:
    return {name: NOW - since for name, since in secret_ages.collect(chosen).items()}


def test_from_outside_it_counts_from_its_first_sight(paths: Paths, chosen: Settings) -> None:
    secret_ages.note(paths, {"SECRET_KEY": "one", "SMTP_URL": "two"}, clock=lambda: NOW - 9 * DAY)
    secret_ages.note(paths, {"SECRET_KEY": "one", "SMTP_URL": "three"}, clock=lambda: NOW - 3 * DAY)
    assert ages(chosen) == {"SECRET_KEY": 9 * DAY, "SMTP_URL": 3 * DAY, "redis": DAY}
    secret_ages.note(paths, clock=lambda: NOW)
    assert ages(chosen) == {"SECRET_KEY": 9 * DAY, "SMTP_URL": 3 * DAY, "redis": DAY}, "nobody looked outside"
    secret_ages.note(paths, {"SECRET_KEY": "one"}, clock=lambda: NOW)
    assert ages(chosen) == {"SECRET_KEY": 9 * DAY, "redis": DAY}
    text = paths.seen.read_text()
    assert not [value for value in ("one", "two", "three", "a password") if value in text]
    assert paths.seen.stat().st_mode & 0o777 == 0o600


def test_of_ours_it_counts_from_the_last_change(paths: Paths, chosen: Settings) -> None:
    assert ages(chosen) == {"redis": DAY}
    secret_ages.note(paths)
    os.utime(paths.redis_password, (0, NOW.timestamp()))
    assert ages(chosen) == {"redis": DAY}, "as after a restore: touched, and not changed"
    paths.redis_password.write_text("another password\n")
    os.utime(paths.redis_password, (0, NOW.timestamp()))
    assert ages(chosen) == {"redis": dt.timedelta()}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "zz", "seen": {}}', '{"key": "ab", "seen": 5}'])
def test_a_file_that_went_bad_is_begun_anew(paths: Paths, chosen: Settings, content: str) -> None:
    paths.seen.write_text(content)
    assert ages(chosen) == {"redis": DAY}
    secret_ages.note(paths, {"SECRET_KEY": "one"}, clock=lambda: NOW)
    assert ages(chosen) == {"SECRET_KEY": dt.timedelta(), "redis": DAY}
