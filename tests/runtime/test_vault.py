"""Secrets that a command tells: where they stand among the other sources, and what goes wrong with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import settings, vault
from appliance.errors import SettingError
from appliance.settings import HOME

KEY = "a key that a vault has, of more than 32 bytes"
URL = "smtp://u:sesame@mail.example.org"


@pytest.fixture
def store(tmp_path: Path) -> dict[str, str]:
    """A vault: a folder with a file for each name. Each question to it is a line in `asked`."""
    vault.forget()
    (tmp_path / "SECRET_KEY").write_text(f"{KEY}\n")
    (tmp_path / "SMTP_URL").write_text(URL)
    script = tmp_path / "vault"
    script.write_text(
        f"#!/bin/sh\necho $1 >>{tmp_path}/asked\necho nothing for stdout >&2\n"
        f"[ -f {tmp_path}/slow ] && sleep 60\ncat {tmp_path}/$1\n"
    )
    script.chmod(0o755)
    return {"SECRETS_COMMAND": f"'{script}' {{name}}", "SECRETS_NAMES": "SECRET_KEY, SMTP_URL"}


def test_it_tells_what_it_is_asked_for_once(store: dict[str, str], tmp_path: Path) -> None:
    _, found = [settings.resolve(store, dotenv=Path("/nonexistent")) for _ in range(2)]
    assert found["secret_key"] == (KEY, "SECRETS_COMMAND")
    assert found["smtp_url"] == (URL, "SECRETS_COMMAND")
    assert found["redis_uri"] == (None, "default")
    assert (tmp_path / "asked").read_text().split() == ["SMTP_URL", "SECRET_KEY"][::-1]
    (tmp_path / "SECRET_KEY").write_text(KEY[::-1])
    assert settings.load(store, dotenv=Path("/nonexistent")).secret_key == KEY
    vault.forget()
    assert settings.load(store, dotenv=Path("/nonexistent")).secret_key == KEY[::-1]


def test_each_secret_can_come_from_each_place(store: dict[str, str], tmp_path: Path) -> None:
    """In the documented order. `/run/secrets` is root's: tests/runtime/test_launch.py has it."""
    values = {
        "MONGODB_URI": "mongodb://u:{}@h/n",
        "REDIS_URL": "redis://:{}@h",
        "APPLIANCE_ADMIN_PASSWORD": "sesame-{}",
        "SECRET_KEY": "sesame-{}-" + "x" * 32,
        "SMTP_URL": "smtp://u:{}@h",
        "APPLIANCE_TLS_KEY": "/{}/key.pem",
        "ALERT_SLACK_URL": "https://slack.test/{}",
        "ALERT_PAGERDUTY_KEY": "{}" + "x" * 26,
        "ALERT_SMS_URL": "https://sms.test/{}",
        "ALERT_WATCHDOG_URL": "https://switch.test/{}",
    }
    secret = [row for row in settings.rows().items() if row[1].secret]
    assert {row.name for _, row in secret} == set(values)
    for attribute, row in secret:
        given = {place: values[row.name].format(place) for place in ("environ", "file", "command", "dotenv")}
        dotenv, file = tmp_path / "env", tmp_path / "value"
        dotenv.write_text(f"{row.name}={given['dotenv']}\n")
        file.write_text(given["file"] + "\n")
        (tmp_path / row.name).write_text(given["command"])
        vault.forget()
        asked = {**store, "SECRETS_NAMES": row.name}
        environs = {
            "environ": {**asked, row.name: given["environ"]},
            "file": {**asked, f"{row.name}_FILE": str(file)},
            "command": asked,
            "dotenv": {},
        }
        for place, environ in environs.items():
            assert str(getattr(settings.load(environ, dotenv=dotenv), attribute)) == given[place], place


@pytest.mark.parametrize(
    "name, command, told",
    [
        ("REDIS_URL", "", "ended with status 1; next: run it yourself: "),
        ("SMTP_URL", "slow", "gave no answer within 0 s; next: run it yourself"),
        (
            "SMTP_URL",
            "/nonexistent/vault {name}",
            "/nonexistent/vault, which cannot be run (No such file or directory)",
        ),
        ("SMTP_URL", "true {name}", "gave nothing"),
        ("SMTP_URL", "printf '\\377{name}'", "gave something else than UTF-8"),
    ],
)
def test_what_goes_wrong_names_the_secret_and_the_next_command(
    store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, command: str, told: str
) -> None:
    if command == "slow":
        (tmp_path / "slow").touch()
        monkeypatch.setattr(vault, "SECONDS", 0.3)
    elif command:
        store["SECRETS_COMMAND"] = command
    with pytest.raises(SettingError) as refused:
        settings.load({**store, "SECRETS_NAMES": name}, dotenv=Path("/nonexistent"))
    assert str(refused.value).startswith(f"{name}: SECRETS_COMMAND ")
    assert told in str(refused.value)
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    "environ, told",
    [
        ({"SECRETS_COMMAND": "vault"}, "a command with {name} is needed"),
        (
            {"SECRETS_COMMAND": "vault '{name}"},
            "a command and its arguments are needed (No closing quotation)",
        ),
        (
            {"SECRETS_NAMES": "APPLIANCE_DATA"},
            "'APPLIANCE_DATA' is none of APPLIANCE_TLS_KEY, MONGODB_URI, REDIS_URL",
        ),
        ({"SECRETS_NAMES": "SMTP_URL"}, "SECRETS_NAMES lists SMTP_URL, but SECRETS_COMMAND is not set"),
    ],
)
def test_what_cannot_be_meant_is_refused(environ: dict[str, str], told: str) -> None:
    with pytest.raises(SettingError) as refused:
        settings.load(environ, dotenv=Path("/nonexistent"))
    assert told in str(refused.value)


def test_its_words_on_stderr_are_ours_and_its_answer_is_not(store: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "appliance", "config", "show", "--json"],
        env={"PYTHONPATH": str(HOME), "PATH": "/usr/bin:/bin", "APPLIANCE_DATA": f"{tmp_path}/data", **store},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "nothing for stdout" in done.stderr
    assert KEY not in done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert (rows["SECRET_KEY"]["effective"], rows["SECRET_KEY"]["source"]) == ("(set)", "SECRETS_COMMAND")
