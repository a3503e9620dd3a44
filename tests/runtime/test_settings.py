"""A setting that cannot be used is refused where it is read, with its name and what is needed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import settings
from appliance.errors import SettingError
from appliance.runtime import preflight
from appliance.settings import Settings

NOWHERE = Path("/nonexistent")
ARABIC_24 = "٢٤"


def load(**environ: str) -> Settings:
    return settings.load(environ, dotenv=NOWHERE)


@pytest.mark.parametrize(
    "name, value, needed",
    [
        ("APPLIANCE_LOG_LEVEL", "foo", "debug, info, warning or error is needed"),
        ("MONGODB_URI", "garbage", "an address such as mongodb://user:password@host:27017/name"),
        ("MONGODB_URI", "mongodb://", "an address such as mongodb://user:password@host:27017/name"),
        ("MONGODB_URI", "mongodb:///name", "an address such as mongodb://user:password@host:27017/name"),
        ("MONGODB_URI", "mongodb://a b", "an address such as mongodb://user:password@host:27017/name"),
        ("MONGODB_URI", "http://host", "an address such as mongodb://user:password@host:27017/name"),
        ("REDIS_URL", "garbage", "an address such as redis://:password@host:6379/0 or unix:///a/path"),
        ("REDIS_URL", "redis://", "an address such as redis://:password@host:6379/0 or unix:///a/path"),
        ("REDIS_URL", "unix://", "an address such as redis://:password@host:6379/0 or unix:///a/path"),
        ("APPLIANCE_TOKEN_HOURS", "0", "a number from 1 to 8760 is needed"),
        ("APPLIANCE_TOKEN_HOURS", "999999999", "a number from 1 to 8760 is needed"),
        ("APPLIANCE_TOKEN_HOURS", ARABIC_24, "a whole number is needed"),
        ("APPLIANCE_TOKEN_HOURS", "-1", "a whole number is needed"),
        ("ALERT_REPEAT", "3w", "a time such as 30s, 5m, 4h or 2d, from 5 s to 604800 s"),
        ("ALERT_REPEAT", "8d", "a time such as"),
        ("ALERT_GROUP", "0s", "a time such as"),
        ("APPLIANCE_CPUS", "0", "a number from 1 to 4096 is needed"),
        ("APPLIANCE_HTTP_PORT", "0", "a number from 1 to 65535 is needed"),
        ("APPLIANCE_HTTP_PORT", "65536", "a number from 1 to 65535 is needed"),
        ("APPLIANCE_ADMIN_PASSWORD", "seven77", "8 to 1024 characters"),
        ("APPLIANCE_ADMIN_PASSWORD", "x" * 1025, "8 to 1024 characters"),
        ("APPLIANCE_ADMIN_PASSWORD", " long enough", "must not begin or end with a space"),
        ("APPLIANCE_ADMIN_PASSWORD", "long enough\u00a0", "must not begin or end with a space"),
        ("APPLIANCE_ADMIN_PASSWORD", "long\nenough", "must not hold control characters"),
        ("APPLIANCE_ADMIN_PASSWORD", os.fsdecode(b"long enough \xff."), "UTF-8 is needed"),
        ("APPLIANCE_TLS_CERTIFICATE", "~nobody-here/a.pem", "there is no such user as it names with ~"),
        ("APPLIANCE_DATA", "/a\0b", "a path without the character NUL is needed"),
        ("SECRET_KEY", "short", "32 bytes or more are needed"),
        ("APPLIANCE_TLS_KEY", "-----BEGIN PRIVATE KEY-----\nMIIE", "the path of a file is needed"),
        ("APPLIANCE_HSTS", "yes", "must be auto, on or off"),
        ("ACME_DOMAINS", "*.example.org", "no name that http-01 can prove"),
        ("ACME_DOMAINS", "example.org,192.0.2.1", "'192.0.2.1' is no name that http-01 can prove"),
        ("ACME_DOMAINS", "localhost", "no name that http-01 can prove"),
        ("ACME_DOMAINS", "bücher.example", "in their xn-- form"),
        ("ACME_DOMAINS", "https://example.org", "no name that http-01 can prove"),
        ("ACME_DOMAINS", ",".join(f"a{number}.test" for number in range(101)), "at most 100 names"),
        ("ACME_DIRECTORY", "http://acme.test/directory", "an address such as https://"),
        ("ACME_EMAIL", "nobody", "an address such as forms@example.org"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, value: str, needed: str) -> None:
    with pytest.raises(SettingError) as refused:
        load(**{name: value})
    told = str(refused.value)
    assert told.startswith(f"{name}=")
    assert " from environment: " in told
    assert needed in told
    row = next(row for row in settings.rows().values() if row.name == name)
    assert told.startswith(f"{name}=(secret) ") == row.secret
    assert not row.secret or told.count(value) == needed.count(value)


@pytest.mark.parametrize(
    "name, value, attribute, expected",
    [
        ("APPLIANCE_LOG_LEVEL", "WARNING", "log_level", "warning"),
        (
            "MONGODB_URI",
            "mongodb://u:p@a,b:27018/name?x=y",
            "mongodb_uri",
            "mongodb://u:p@a,b:27018/name?x=y",
        ),
        ("MONGODB_URI", "mongodb+srv://cluster.example", "mongodb_uri", "mongodb+srv://cluster.example"),
        ("REDIS_URL", "rediss://:p@h:6380/1", "redis_uri", "rediss://:p@h:6380/1"),
        ("REDIS_URL", "unix://:p@/run/redis.sock", "redis_uri", "unix://:p@/run/redis.sock"),
        ("APPLIANCE_TOKEN_HOURS", "1", "token_hours", 1),
        ("APPLIANCE_CPUS", "1", "cpus", 1),
        ("APPLIANCE_ADMIN_PASSWORD", "pass wörd", "admin_password", "pass wörd"),
        ("APPLIANCE_ADMIN_PASSWORD", "x" * 1024, "admin_password", "x" * 1024),
    ],
)
def test_what_can_be_used_is_taken(name: str, value: str, attribute: str, expected: object) -> None:
    assert getattr(load(**{name: value}), attribute) == expected


def test_a_dotenv_that_is_no_text_is_named(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"RATE_LIMIT=\xff\n")
    with pytest.raises(SettingError, match=rf"\.env: cannot read {dotenv}"):
        settings.load({}, dotenv=dotenv)


@pytest.mark.parametrize(
    "line, told",
    [
        ("APPLIANCE_HTTP_PORT 8080", "not a line NAME=value"),
        ("APPLIANCE_HTTP_PORT=eighty", "a whole number is needed"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_keeps_nobody_from_the_data(
    tmp_path: Path, line: str, told: str
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"# mine\n{line}\nAPPLIANCE_DATA={tmp_path}/data\n")
    with pytest.raises(SettingError, match=rf"{dotenv}:2: {told}"):
        settings.load({}, dotenv=dotenv)
    assert settings.find_data({}, dotenv=dotenv) == tmp_path / "data"
    dotenv.write_bytes(b"RATE_LIMIT=\xff\nAPPLIANCE_DATA=/srv/data\n")
    assert settings.find_data({}, dotenv=dotenv) == Path("/srv/data")


@pytest.mark.parametrize(
    "given, told",
    [
        ({"mongodb_uri": "mongodb://u:sesame@sesame@h"}, "MONGODB_URI"),
        ({"mongodb_uri": "mongodb://h:99999"}, "MONGODB_URI"),
        ({"redis_uri": "redis://:sesame@h:port"}, "REDIS_URL"),
    ],
)
def test_an_address_that_the_driver_cannot_read_is_told_before_the_start(
    chosen: Settings, given: dict[str, str], told: str
) -> None:
    (fault,) = preflight.find_faults(replace(chosen, **given))  # type: ignore[arg-type]
    assert fault.startswith(f"{told} is no address")
    assert "sesame" not in fault


@pytest.mark.parametrize("bind", ["127.0.0.1,127.0.0.1", "0.0.0.0,127.0.0.1", "::,::1"])
def test_addresses_that_nginx_never_takes_together(bind: str) -> None:
    with pytest.raises(SettingError, match="an address once"):
        settings.load({"APPLIANCE_BIND": bind}, dotenv=Path("/nonexistent"))


@pytest.mark.parametrize("kind", ["folder", "loop", "dangling", "pipe"])
def test_a_dotenv_that_is_no_file_is_not_taken_for_an_empty_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".env"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "loop" else tmp_path / "gone")
    with pytest.raises(SettingError, match=r"\.env: not a file"):
        settings.load({}, dotenv=path)
