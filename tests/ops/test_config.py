"""`appliance config`, and what `status` says of settings that wait."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.ops.command import appliance_command
from tests.ops.conftest import SECRETS, Dotted


def command(appliance: Dotted, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in appliance.environ.items() if name != "APPLIANCE_DATA"}
    return appliance_command(*arguments, data=appliance.paths.data, **environ)


def pending(appliance: Dotted) -> tuple[int, dict[str, dict[str, Any]]]:
    ended = command(appliance, "config", "diff", "--json")
    assert ended.stderr == ""
    return ended.returncode, {row["name"]: row for row in json.loads(ended.stdout)["pending"]}


def test_diff_shows_what_was_asked_for_and_that_nothing_waits(dotted: Dotted) -> None:
    ended = command(dotted, "config", "diff", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(ended.stdout)
    changed = {row["name"]: row for row in told["changed"]}
    assert told["pending"] == []
    assert changed["RATE_LIMIT"]["asked"] == "off"
    assert changed["SECRET_KEY"] == changed["SECRET_KEY"] | {"asked": "(set)", "source": ".env"}
    assert "APPLIANCE_TOKEN_HOURS" not in changed
    for_people = command(dotted, "config", "diff")
    assert "nothing waits for a reload or a restart" in for_people.stdout
    assert "RATE_LIMIT" in for_people.stdout and "APPLIANCE_TOKEN_HOURS" not in for_people.stdout
    assert "sesame" not in ended.stdout + for_people.stdout


def test_what_was_changed_since_waits_and_says_for_what(dotted: Dotted) -> None:
    with dotted.changed("APPLIANCE_TOKEN_HOURS=7", "APPLIANCE_CPUS=1", "ALERT_SMS_URL=https://sesame.test/"):
        status, rows = pending(dotted)
        assert status == 1
        assert set(rows) == {"APPLIANCE_TOKEN_HOURS", "APPLIANCE_CPUS", "ALERT_SMS_URL"}
        hours = rows["APPLIANCE_TOKEN_HOURS"]
        assert (hours["runs"], hours["asked"], hours["effect"]) == ("24", "7", "reload")
        assert rows["APPLIANCE_CPUS"]["effect"] == "restart"
        assert (rows["ALERT_SMS_URL"]["runs"], rows["ALERT_SMS_URL"]["asked"]) == (None, "(set)")
        told = command(dotted, "status")
        assert told.returncode == 0
        lines = told.stdout.splitlines()
        assert "APPLIANCE_TOKEN_HOURS: 24 runs, 7 is asked for by .env; it waits for a reload" in lines, (
            told.stdout
        )
        assert "APPLIANCE_CPUS: unset runs, 1 is asked for by .env; it waits for a restart" in lines
        assert "ALERT_SMS_URL: unset runs, (set) is asked for by .env; it waits for a reload" in lines
        assert "next: ./scripts/appliance reload" in lines
        assert "next: stop ./scripts/up, start it again" in lines
        assert not [line for line in lines if line.startswith("it runs with")]


def test_a_reload_takes_what_waits_for_one(dotted: Dotted) -> None:
    with dotted.changed("APPLIANCE_TOKEN_HOURS=9", "APPLIANCE_CPUS=1"):
        assert set(pending(dotted)[1]) == {"APPLIANCE_TOKEN_HOURS", "APPLIANCE_CPUS"}
        reloaded = command(dotted, "reload", "--json")
        assert reloaded.returncode == 0, reloaded.stdout
        told = json.loads(reloaded.stdout)
        assert told["exit"] == 0 and told["lines"][-1] == "reloaded"
        assert set(pending(dotted)[1]) == {"APPLIANCE_CPUS"}
    assert set(pending(dotted)[1]) == {"APPLIANCE_TOKEN_HOURS"}, "and back"
    assert command(dotted, "reload").returncode == 0
    assert pending(dotted) == (0, {})


def test_another_secret_waits_without_being_told(dotted: Dotted) -> None:
    with dotted.changed("SECRET_KEY=sesame-another-secret-key-of-enough-bytes"):
        status, rows = pending(dotted)
        assert (status, set(rows)) == (1, {"SECRET_KEY"})
        told = command(dotted, "status").stdout
        assert "SECRET_KEY: another value is asked for by .env; it waits for a reload" in told
        assert "sesame" not in told + json.dumps(rows)


@pytest.mark.parametrize(
    "line,word",
    [
        ("APPLIANCE_TOKEN_HOURS=never", "a whole number is needed"),
        ("nonsense", "not a line NAME=value"),
        ("APPLIANCE_TLS_CERTIFICATE=/nowhere", "APPLIANCE_TLS_CERTIFICATE"),
    ],
)
def test_check_finds_what_a_reload_would_refuse(dotted: Dotted, line: str, word: str) -> None:
    well = command(dotted, "config", "check", "--json")
    assert (well.returncode, json.loads(well.stdout)) == (0, {"well": True, "faults": []}), well
    with dotted.changed(line):
        ended = command(dotted, "config", "check", "--json")
        told = json.loads(ended.stdout)
        assert (ended.returncode, told["well"]) == (1, False)
        assert word in " ".join(told["faults"]), told
        assert command(dotted, "reload").returncode == 2


def test_check_needs_nothing_that_runs(tmp_path: Path) -> None:
    ended = appliance_command("config", "check", data=tmp_path / "data", APPLIANCE_TOKEN_HOURS="0")
    assert ended.returncode == 1
    assert "APPLIANCE_TOKEN_HOURS='0'" in ended.stdout
    assert not (tmp_path / "data").exists()
    assert appliance_command("config", "check", data=tmp_path / "data").returncode == 0


def test_nothing_of_the_secrets_is_shown(dotted: Dotted) -> None:
    for words in (["config", "show"], ["config", "diff"], ["config", "show", "--json"], ["status"]):
        told = command(dotted, *words)
        assert not [name for name, value in SECRETS.items() if value in told.stdout + told.stderr]
