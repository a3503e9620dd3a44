"""Who is told of an alert: real receivers behind a real Alertmanager."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance import settings
from appliance.runtime import launch, monitoring, routing
from tests.mailbox import mailbox
from tests.runtime.servers import free_port, program, until

ALL = {
    "SMTP_URL": "smtp://us%40er:pa%3Ass@mail.test:587",
    "ALERT_EMAIL": "ops@example.org,boss@example.org",
    "ALERT_SLACK_URL": "https://hooks.example.org/slack",
    "ALERT_PAGERDUTY_KEY": "k" * 32,
    "ALERT_SMS_URL": "https://sms.example.org/send",
    "ALERT_WATCHDOG_URL": "https://switch.example.org/ping",
}


class Receiver:
    """Takes what is posted, as Slack, PagerDuty, a gateway for text messages and a dead man's switch do."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                taken.append((self.path, json.loads(body)))
                self.send_response(202 if self.path == "/pagerduty" else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def paths(self, status: str | None = None) -> set[str]:
        return {path for path, body in self.taken if status in (None, body.get("status"))}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def alertmanager(tmp_path: Path, environ: dict[str, str]) -> Iterator[str]:
    """With the product's configuration, but that groups do not wait."""
    chosen = settings.load({"APPLIANCE_DATA": str(tmp_path), **environ}, dotenv=Path("/nonexistent"))
    made = routing.alertmanager(chosen)
    made["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    config = tmp_path / "alertmanager.json"
    config.write_text(json.dumps(made))
    port = free_port()
    command = [
        launch.which(monitoring.BINARIES["alertmanager"]), f"--config.file={config}",
        f"--storage.path={tmp_path / 'kept'}", f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=", "--log.level=error",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with program(command, dict(os.environ)):
        until(lambda: _answers(url), 15, "Alertmanager answers")
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def fire(url: str, name: str, severity: str, *, over: bool = False, **labels: str) -> None:
    now = dt.datetime.now(dt.UTC)
    alert: dict[str, Any] = {
        "labels": {"alertname": name, "severity": severity, **labels},
        "annotations": {"summary": f"{name} it is"},
        "startsAt": (now - dt.timedelta(seconds=5)).isoformat(),
    }
    if over:
        alert["endsAt"] = now.isoformat()
    httpx.post(f"{url}/api/v2/alerts", json=[alert], trust_env=False).raise_for_status()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def settings_for(receiver: Receiver, mail: str) -> dict[str, str]:
    return {
        "SMTP_URL": mail,
        "ALERT_EMAIL": "ops@example.org",
        "ALERT_SLACK_URL": f"{receiver.url}/slack",
        "ALERT_PAGERDUTY_KEY": "k" * 32,
        "ALERT_PAGERDUTY_URL": f"{receiver.url}/pagerduty",
        "ALERT_SMS_URL": f"{receiver.url}/sms",
        "ALERT_WATCHDOG_URL": f"{receiver.url}/watchdog",
    }


def test_each_severity_reaches_whom_it_should(tmp_path: Path, receiver: Receiver) -> None:
    with mailbox() as mail, alertmanager(tmp_path, settings_for(receiver, mail.url)) as url:
        fire(url, "Quiet", "info")
        fire(url, "Watchdog", "none")
        fire(url, "DiskFillsUp", "warning")
        until(lambda: {"/slack", "/watchdog"} <= receiver.paths() and mail.all(), 30, "the warning is told")
        assert receiver.paths() == {"/slack", "/watchdog"}
        fire(url, "RedisDown", "critical")
        everywhere = {"/slack", "/watchdog", "/pagerduty", "/sms"}
        until(lambda: everywhere <= receiver.paths() and len(mail.all()) == 2, 30, "the critical one is told")
        fire(url, "RedisDown", "critical", over=True)
        until(lambda: "/sms" in receiver.paths("resolved"), 30, "its end is told")
    told = [body for path, body in receiver.taken if path == "/slack"]
    assert not [body for body in told if "Quiet" in json.dumps(body) or "Watchdog" in json.dumps(body)]
    (first, *_), (page, *_) = told, [body for path, body in receiver.taken if path == "/pagerduty"]
    assert "DiskFillsUp it is" in json.dumps(first)
    assert page["routing_key"] == "k" * 32 and page["payload"]["summary"] == "RedisDown it is"
    assert [letter.message["Subject"] for letter in mail.all()][:2] == [
        "[firing] DiskFillsUp",
        "[firing] RedisDown",
    ]
    body = mail.all()[0].message.get_body(("plain",))
    assert body is not None and "DiskFillsUp it is" in body.get_content()


def test_what_follows_from_redis_is_not_told_beside_it(tmp_path: Path, receiver: Receiver) -> None:
    with mailbox() as mail, alertmanager(tmp_path, settings_for(receiver, mail.url)) as url:
        fire(url, "RedisDown", "critical")
        until(lambda: "/sms" in receiver.paths(), 30, "Redis is told of")
        fire(url, "QueueStuck", "critical", queue="high")
        fire(url, "OutOfMemoryKill", "critical")
        until(lambda: "OutOfMemoryKill" in json.dumps(receiver.taken), 30, "what does not follow is told of")
    assert "QueueStuck" not in json.dumps(receiver.taken)


@pytest.mark.parametrize("without", [(), *((name,) for name in ALL), tuple(ALL)])
def test_what_is_not_set_is_left_out(tmp_path: Path, without: tuple[str, ...]) -> None:
    given = {name: value for name, value in ALL.items() if name not in without}
    chosen = settings.load({"APPLIANCE_DATA": str(tmp_path), **given}, dotenv=Path("/nonexistent"))
    config = tmp_path / "alertmanager.json"
    config.write_text(json.dumps(routing.alertmanager(chosen)))
    ended = subprocess.run(
        [launch.which("amtool"), "check-config", config], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    text = config.read_text()
    assert ("email_configs" in text) == ({"SMTP_URL", "ALERT_EMAIL"} <= given.keys())
    assert ("slack_configs" in text) == ("ALERT_SLACK_URL" in given)
    assert ("pagerduty_configs" in text) == ("ALERT_PAGERDUTY_KEY" in given)
    assert text.count("webhook_configs") == ("ALERT_SMS_URL" in given) + ("ALERT_WATCHDOG_URL" in given)


def test_mail_goes_over_tls_except_on_this_machine(tmp_path: Path) -> None:
    def made(url: str) -> dict[str, Any]:
        given = {"APPLIANCE_DATA": str(tmp_path), "ALERT_EMAIL": "a@b.test", "SMTP_URL": url}
        chosen = settings.load(given, dotenv=Path("/nonexistent"))
        receivers = {each["name"]: each for each in routing.alertmanager(chosen)["receivers"]}
        found: dict[str, Any] = receivers["warning"]["email_configs"][0]
        return found

    told = made("smtp://us%40er:pa%3Ass@mail.test:587")
    assert (told["require_tls"], told["smarthost"]) == (True, "mail.test:587")
    assert (told["auth_username"], told["auth_password"]) == ("us@er", "pa:ss")
    assert made("smtps://mail.test")["smarthost"] == "mail.test:465"
    assert made("smtp://127.0.0.1:25")["require_tls"] is False
    assert made("smtp://[::1]")["smarthost"] == "[::1]:25"
