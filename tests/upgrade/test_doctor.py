"""What `doctor` says of an upgrade that did not end, and of data that does not fit; and `upgrade --back`."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from appliance import clock, levels, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import doctor, upgrade_back, upgrade_journal
from appliance.ops.findings import Situation
from appliance.runtime import folders, snapshots
from appliance.runtime.snapshots import About
from appliance.settings import Settings

NOW = clock.parse_rfc3339("2026-02-01T12:00:00Z")
ABOUT = About(1, 2, "9.9", clock.rfc3339(NOW))


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(upgrade_journal, "HOME", tmp_path / "home")
    monkeypatch.setenv("APPLIANCE_DATA", str(tmp_path / "data"))
    found = settings.load()
    folders.create(Paths(found.data))
    levels.note(found, 1)
    return found


def found(chosen: Settings, later: dt.timedelta = dt.timedelta()) -> list[tuple[str, str]]:
    situation = Situation(chosen, chosen, {}, chosen.data / "none", lambda: NOW + later)
    return [(each.severity, each.meaning) for each in doctor.examine(situation) if each.check == "upgrade"]


def test_all_is_well(chosen: Settings) -> None:
    assert found(chosen) == [("ok", "the data is of this code's level, and no upgrade was broken off")]


def test_a_migration_that_was_broken_off(chosen: Settings) -> None:
    snapshots.begin(Paths(chosen.data), ABOUT)
    told = "an upgrade of the data to level 2 was broken off; a start goes back to level 1 first"
    assert found(chosen) == [("warning", told)]
    (Paths(chosen.data).upgrade / "mark").write_text("")
    ((severity, meaning),) = found(chosen)
    assert severity == "error" and "cannot be read" in meaning


def test_data_that_this_code_does_not_know(chosen: Settings) -> None:
    levels.note(chosen, 7)
    told = "the data is of level 7, and this code knows level 1 at most: it does not start"
    assert found(chosen) == [("error", told)]


def test_a_copy_that_is_left_for_long(chosen: Settings) -> None:
    paths = Paths(chosen.data)
    snapshots.begin(paths, ABOUT)
    snapshots.arm(paths, ABOUT)
    snapshots.disarm(paths)
    assert found(chosen)[0][0] == "ok"
    ((severity, meaning),) = found(chosen, dt.timedelta(days=8))
    assert severity == "warning" and meaning.startswith(f"the copy of the data of {ABOUT.at} is still there")


def test_an_upgrade_of_the_code_that_nobody_ended(chosen: Settings) -> None:
    with upgrade_journal.alone():
        upgrade_journal.write(upgrade_journal.Journal("starting", 1, "1.0", "2.0", 1, True, False))
        assert found(chosen)[0][0] == "ok"  # somebody is at it
    assert found(chosen) == [
        ("error", "an upgrade to 2.0 was killed (starting), and nobody has gone back yet")
    ]


def test_going_back_is_asked_for_and_never_brings_back_what_was_erased(chosen: Settings) -> None:
    paths = Paths(chosen.data)
    with pytest.raises(CannotStart, match="holds no copy"):
        upgrade_back.run(sure=True, above=None)
    snapshots.begin(paths, ABOUT)
    snapshots.take(paths)
    snapshots.arm(paths, ABOUT)
    snapshots.disarm(paths)
    assert upgrade_back.run(sure=False, above=None) == 1  # nobody is there to be asked
    assert upgrade_back.run(sure=True, above=1) == 0  # it is not above
    assert snapshots.read(paths) is None
    (paths.erasures / "x.json").write_text(json.dumps({}))
    with pytest.raises(CannotStart, match=r"what was erased since .* \(erasures: 1\)"):
        upgrade_back.run(sure=True, above=None)
    (paths.erasures / "x.json").unlink()
    assert upgrade_back.run(sure=True, above=None) == 0
    assert (mark := snapshots.read(paths)) and mark.phase == "asked"
