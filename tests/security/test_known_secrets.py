"""What is secret stays out of the logs, wherever in a line it would stand."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import known_secrets, logs, settings
from appliance.addresses import Paths
from appliance.security import keyring
from appliance.security.keyring import open_keyring

PASSWORD = 'a "quoted" pass/wörd'
URL = "smtp://forms:sesame%2Fmail@mail.example.org"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    made.secrets.mkdir()
    made.admin_password.write_text(f"{PASSWORD}\n")
    made.cursor_key.write_text("ab" * 32 + "\n" + "cd" * 32 + " 2026-01-01T00:00:00.000Z\n")
    made.backup_key.write_text("# made 2026-01-01T00:00:00.000Z\nAGE-SECRET-KEY-1SESAME\n")
    (made.secrets / "short").write_text("seven77\n")
    open_keyring(made.jwt_keys, None)
    return made


@pytest.fixture
def written(paths: Paths) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    log = logging.getLogger("test-known-secrets")
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.INFO)
    chosen = settings.load({"APPLIANCE_DATA": str(paths.data), "SMTP_URL": URL}, dotenv=Path("/nonexistent"))
    logs.hide(known_secrets.finder(chosen, now=lambda: 0.0))
    yield stream
    logs.hide(frozenset)
    log.removeHandler(handler)


def test_no_known_value_comes_into_a_line(paths: Paths, written: io.StringIO) -> None:
    log = logging.getLogger("test-known-secrets")
    active = next(key.secret for key in keyring.read(paths.jwt_keys) if key.state == "active")
    secret = [PASSWORD, "ab" * 32, "cd" * 32, "AGE-SECRET-KEY-1SESAME", active, URL, "sesame/mail"]
    for value in secret:
        log.info("a %s in the message", value)
        log.info(
            "field", extra={"given": value, "nested": {"deep": [value]}, "text": json.dumps({"x": value})}
        )
        log.info("address", extra={"url": f"https://u:{value}@host"})
        try:
            raise ValueError(value)
        except ValueError:
            log.exception("raised")
    text = written.getvalue()
    assert len(text.splitlines()) == 4 * len(secret)
    for line in text.splitlines():
        told = json.loads(line)
        assert told["level"] in ("info", "error")
        assert logs.HIDDEN in line
        assert not [value for value in secret if value in line or json.dumps(value)[1:-1] in line]
    assert not [part for part in ("sesame%2Fmail", "SESAME", "quoted") if part in text]


def test_what_is_no_secret_stays(paths: Paths, written: io.StringIO) -> None:
    log = logging.getLogger("test-known-secrets")
    log.info("seven77 mail.example.org 2026-01-01T00:00:00.000Z")
    assert json.loads(written.getvalue())["message"] == "seven77 mail.example.org 2026-01-01T00:00:00.000Z"


def test_a_value_that_came_later_is_known_too(paths: Paths, written: io.StringIO) -> None:
    now = [0.0]
    chosen = settings.load({"APPLIANCE_DATA": str(paths.data)}, dotenv=Path("/nonexistent"))
    find = known_secrets.finder(chosen, now=lambda: now[0])
    assert "a new password" not in find()
    (paths.secrets / "redis_password").write_text("a new password\n")
    assert "a new password" not in find()
    now[0] = 1.0
    assert "a new password" in find()
