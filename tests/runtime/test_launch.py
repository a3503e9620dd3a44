"""What a program is given, what its configuration says, and how long it waits."""

from __future__ import annotations

import configparser
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import logs, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart, SettingError
from appliance.runtime import launch, mongo, programs, rendering, waits
from appliance.settings import HOME, Settings
from tests.runtime.servers import until


def supervisor_config() -> configparser.RawConfigParser:
    config = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    config.read(HOME / "supervisord.conf")
    return config


def test_supervisord_and_the_table_agree_on_programs_and_signals() -> None:
    config = supervisor_config()
    sections = [name for name in config.sections() if name.startswith(("program:", "eventlistener:"))]
    said = {name.partition(":")[2]: config[name]["stopsignal"] for name in sections}
    assert said == {name: number.name.removeprefix("SIG") for name, number in programs.STOP_SIGNALS.items()}


def test_only_the_guardian_is_supervisords_to_start_again() -> None:
    config = supervisor_config()
    for name in config.sections():
        if name.startswith("program:"):
            assert (config[name]["autorestart"], config[name]["startretries"]) == ("false", "0"), name
    assert config["eventlistener:guardian"]["autorestart"] == "true"


def test_supervisord_expands_only_what_it_is_given(chosen: Settings) -> None:
    import re

    text = (HOME / "supervisord.conf").read_text()
    given = programs.supervisor_environment(chosen)
    assert set(re.findall(r"%\(ENV_(\w+)\)s", text)) <= given.keys()
    assert "inet_http_server" not in text


def test_a_door_closes_before_what_it_leads_to() -> None:
    """The stop goes from the highest priority to the lowest."""
    config = supervisor_config()
    order = [int(config[f"program:{name}"]["priority"]) for name in ("mongo", "worker-high", "api", "nginx")]
    assert order == sorted(set(order))


@pytest.mark.parametrize(
    "given, own, secret",
    [
        ({"MONGODB_URI": "mongodb://a"}, ("false", "0"), "SUPERVISED_MONGO"),
        ({"REDIS_URL": "redis://a"}, ("false", "0"), "SUPERVISED_REDIS"),
        ({}, ("true", "1"), "SUPERVISED_MONGO"),
    ],
)
def test_an_outside_server_switches_the_embedded_one_off(
    environ: dict[str, str], given: dict[str, str], own: tuple[str, str], secret: str
) -> None:
    chosen = settings.load(environ | given, dotenv=Path("/nonexistent"))
    made = programs.supervisor_environment(chosen)
    assert (made[secret], made[f"{secret}_SECONDS"]) == own


@pytest.mark.parametrize(
    "asked, allowed, expected", [(None, 1, 2), (None, 2, 2), (None, 64, 4), (1, 8, 2), (3, 8, 3), (0, 8, 4)]
)
def test_the_number_of_apis(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch, asked: int | None, allowed: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)))
    assert programs.api_count(replace(chosen, cpus=asked)) == expected


@pytest.mark.parametrize(
    "name", ["", "api", "api-0", "api-01", "api-x", "API-1", "nginx ", "../redis", "guardians"]
)
def test_an_unknown_program_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(CannotStart, match=r"there is no program .*; there are redis, mongo, .*api-N, nginx"):
        programs.kind(name)


def test_only_our_programs_get_the_settings() -> None:
    around = {
        "PATH": "/bin",
        "SECRET_KEY": "s",
        "ALERT_SLACK_URL": "https://hooks.test/secret",
        "ALERT_PAGERDUTY_KEY_FILE": "x",
        "ALERT_SMS_URL": "https://sms.test/secret",
        "ALERT_WATCHDOG_URL": "https://switch.test/secret",
        "SUPERVISOR_ENABLED": "1",
        "LD_PRELOAD": "x",
    }
    around |= {"MONGODB_URI_FILE": "f", "APPLIANCE_DATA": "/d", "PYTHONSTARTUP": "x"}
    ours = launch._environment(around, launch.Start(["x"], ours=True), "api-1")
    others = launch._environment(around, launch.Start(["x"], extra={"TZ": "UTC"}), "nginx")
    assert others == {"PATH": "/bin", "TZ": "UTC"}
    useless = {row.name for row in settings.rows().values() if row.secret} - set(launch.NEEDS["api"])
    assert {"ALERT_SLACK_URL", "ALERT_WATCHDOG_URL", "APPLIANCE_ADMIN_PASSWORD"} <= useless
    assert ours.keys() - useless == {
        "PATH", "SECRET_KEY", "MONGODB_URI_FILE", "APPLIANCE_DATA", "APPLIANCE_PROGRAM", "PYTHONPATH",
        "PYTHONUNBUFFERED", "MALLOC_ARENA_MAX",
    }  # fmt: skip
    assert all(ours[name] == "" for name in useless), "which it has no use for"
    worker = launch._environment(around, launch.Start(["x"], ours=True), "worker-ai")
    assert (worker["SECRET_KEY"], worker["SMTP_URL"], worker["MONGODB_URI_FILE"]) == ("", "", "f")


def test_the_name_of_a_program_is_in_its_command_line(chosen: Settings, paths: Paths) -> None:
    assert str(paths.api_socket(2)) in launch._api("api-2", paths).command
    assert launch._nginx(chosen, paths).command[-1] == str(paths.run / "nginx.conf")


def test_launching_is_quick_because_it_imports_little() -> None:
    code = "import sys; from appliance.runtime import launch; print(*sorted(sys.modules))"
    got = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(got.stdout.split())
    assert not loaded & {"pymongo", "redis", "cryptography", "litestar", "asyncio", "logging", "http.client"}


def test_a_child_of_a_supervisor_that_is_gone_does_not_start(paths: Paths, environ: dict[str, str]) -> None:
    (paths.run / "supervisord.pid").write_text("1\n")
    code = "from appliance.runtime.launch import launch; launch('redis')"
    got = subprocess.run(
        [sys.executable, "-c", code],
        env=environ | {"SUPERVISOR_ENABLED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "CannotStart: the supervisor 1 is gone" in got.stderr
    assert not (paths.pids / "redis.json").exists()


# nginx.conf


def test_a_placeholder_that_nobody_fills_is_an_error_with_its_line() -> None:
    with pytest.raises(CannotStart, match=r"nginx\.conf:2: unknown placeholder @there@"):
        rendering.fill("@here@\n @there@", {"here": "x"})
    with pytest.raises(CannotStart, match="no placeholder for gone"):
        rendering.fill("@here@", {"here": "x", "gone": "y"})


def test_values_are_never_filled_in_again() -> None:
    assert rendering.fill("@a@ @b@", {"a": "@b@", "b": "x"}) == "@b@ x"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"APPLIANCE_BIND": "0.0.0.0,::", "APPLIANCE_HTTP_PORT": "80", "APPLIANCE_HTTPS_PORT": "443"},
        {"APPLIANCE_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::/32, 192.0.2.1", "RATE_LIMIT": "off"},
    ],
    ids=["defaults", "image", "proxies"],
)
def test_nginx_and_its_linter_accept_what_is_rendered(
    environ: dict[str, str], paths: Paths, more: dict[str, str]
) -> None:
    from appliance.runtime import serving

    chosen = settings.load(environ | more, dotenv=Path("/nonexistent"))
    serving.settle(chosen)
    config = str(rendering.nginx(chosen))
    for command in (
        [launch.which("nginx"), "-t", "-q", "-e", "stderr", "-p", str(paths.run), "-c", config],
        [str(Path(sys.executable).with_name("gixy")), config],
    ):
        got = subprocess.run(command, capture_output=True, text=True, check=False)
        assert got.returncode == 0, got.stdout + got.stderr
        assert "warn" not in got.stderr


def test_a_data_folder_with_spaces_works(environ: dict[str, str], data: Path) -> None:
    from tests.runtime.servers import front

    with front(data.parent / "a b; c#{}") as door:
        assert door.get("/static/none").status_code == 404


# Waiting


def test_a_worker_waits_for_the_stores_and_says_so(
    paths: Paths, chosen: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (paths.mongo_port).write_text(f"{mongo._free_port()}\n")
    asked: list[str] = []

    def answers() -> bool:
        asked.append("x")
        return len(asked) > 3

    waits.wait_for("worker-high", "redis", answers, every=0.15)
    assert "worker-high has waited 0 s for redis" in capsys.readouterr().out
    assert not waits._redis_answers(chosen)
    assert not waits._mongo_answers(chosen)


def test_a_redis_with_another_password_does_not_answer(paths: Paths) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(paths.redis_socket))
    server.listen(1)

    def refuse() -> None:
        door, _ = server.accept()
        with door:
            door.recv(100)
            door.sendall(b"-WRONGPASS invalid username-password pair\r\n-NOAUTH Authentication required.\r\n")

    thread = threading.Thread(target=refuse)
    thread.start()
    try:
        assert waits._ping_redis(str(paths.redis_socket), "x") is False
    finally:
        thread.join(5)
        server.close()


def test_a_waiting_worker_stops_at_once_and_quietly(paths: Paths, environ: dict[str, str]) -> None:
    code = "from appliance.runtime.launch import launch; launch('worker-high')"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stderr=subprocess.PIPE, text=True
    ) as waiting:
        until(lambda: (paths.pids / "worker-high.json").exists())
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(5) == -signal.SIGINT
        assert waiting.stderr
        assert waiting.stderr.read() == ""


# Logs


def test_a_log_line_is_one_json_object_with_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from appliance import logs\nlogs.configure('info')\nlogs.request_id.set('r-1')\n"
        "log = logs.get('a.b')\nlog.debug('no')\n"
        "log.info('two\\nlines %s', 'x', extra={'form': 'f', 'n': 3, 'o': {1}})\n"
        "try:\n 1/0\nexcept ZeroDivisionError:\n log.exception('bad')\n"
    )
    got = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(HOME), "APPLIANCE_PROGRAM": "api-1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, second = (json.loads(line) for line in got.stdout.splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info", "program": "api-1", "logger": "a.b", "message": "two\nlines x", "request_id": "r-1",
        "form": "f", "n": 3, "o": "{1}",
    }  # fmt: skip
    assert (second["level"], second["exception"].splitlines()[-1]) == (
        "error",
        "ZeroDivisionError: division by zero",
    )


def test_an_unknown_log_level_is_a_setting_error() -> None:
    with pytest.raises(SettingError, match="APPLIANCE_LOG_LEVEL='loud': one of debug, info, warning, error"):
        logs.configure("loud")
