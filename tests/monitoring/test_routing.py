"""Who is told of an alert: real receivers behind a real Alertmanager."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance import addresses, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart, SettingError
from appliance.own_alerts import KINDS, host
from appliance.runtime import launch, monitoring, preflight, reload, routing
from appliance.settings import Settings
from tests.mailbox import mailbox
from tests.monitoring.receivers import Receiver, settings_for
from tests.runtime.servers import free_port, program, until

ALL = {
    "SMTP_URL": "smtp://us%40er:pa%3Ass@mail.test:587",
    "ALERT_EMAIL": "ops@example.org,boss@example.org",
    "ALERT_SLACK_URL": "https://hooks.example.org/slack",
    "ALERT_PAGERDUTY_KEY": "k" * 32,
    "ALERT_SMS_URL": "https://sms.example.org/send",
    "ALERT_WATCHDOG_URL": "https://switch.example.org/ping",
}


@contextmanager
def alertmanager(tmp_path: Path, environ: dict[str, str]) -> Iterator[str]:
    with started(tmp_path, environ) as (url, _):
        yield url


@contextmanager
def started(tmp_path: Path, environ: dict[str, str]) -> Iterator[tuple[str, Settings]]:
    """With the product's configuration, but that groups do not wait."""
    given = {"APPLIANCE_DATA": str(tmp_path), "APPLIANCE_PORT_BASE": str(free_port()), **environ}
    chosen = settings.load(given, dotenv=Path("/nonexistent"))
    paths = Paths(chosen.data)
    paths.run.mkdir()
    paths.alertmanager_password.write_text("a password\n")
    command = [
        launch.which(monitoring.BINARIES["alertmanager"]),
        *monitoring.command("alertmanager", chosen, paths), "--log.level=error",
    ]  # fmt: skip
    config = paths.run / "alertmanager.json"
    made = json.loads(config.read_text())
    made["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    config.write_text(json.dumps(made))
    url = f"http://appliance:a%20password@127.0.0.1:{addresses.inner_port(chosen, 'alertmanager')}"
    with program(command, dict(os.environ)):
        until(lambda: _answers(url), 15, "Alertmanager answers")
        yield url, chosen


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def fire(
    url: str, name: str, severity: str, /, *, over: bool = False, seconds: float = 5, **labels: str
) -> None:
    now = dt.datetime.now(dt.UTC)
    alert: dict[str, Any] = {
        "labels": {"alertname": name, "severity": severity, **labels},
        "annotations": {
            "summary": " ".join([name, *labels.values(), "it is"]),
            "next": f"./scripts/appliance mend {name}",
        },
        "startsAt": (now - dt.timedelta(seconds=seconds)).isoformat(),
    }
    if over:
        alert["endsAt"] = now.isoformat()
    httpx.post(f"{url}/api/v2/alerts", json=[alert], trust_env=False).raise_for_status()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


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
    here = host()
    (first, *_), (page, *_) = told, [body for path, body in receiver.taken if path == "/pagerduty"]
    text = f"DiskFillsUp it is ({here}, warning)\nNext: ./scripts/appliance mend DiskFillsUp\n"
    assert first["attachments"][0]["text"] == text
    assert page["routing_key"] == "k" * 32 and page["client"] == here
    assert page["payload"]["summary"].strip() == f"{here}: RedisDown it is."
    assert "Next: ./scripts/appliance mend RedisDown" in page["payload"]["custom_details"]["text"]
    assert [letter.message["Subject"] for letter in mail.all()][:2] == [
        f"[firing] DiskFillsUp on {here} (warning)",
        f"[firing] RedisDown on {here} (critical)",
    ]
    body = mail.all()[0].message.get_body(("plain",))
    assert body is not None and body.get_content().splitlines() == text.splitlines()
    sms = next(body for path, body in receiver.taken if path == "/sms")
    assert sms["commonAnnotations"]["next"] == "./scripts/appliance mend RedisDown"
    assert sms["externalURL"].startswith("http://127.0.0.1:")
    links = [body for path, body in receiver.taken if path in ("/slack", "/pagerduty")]
    assert "http" not in json.dumps(links), "nobody else reaches this machine's loopback"


def test_what_follows_from_redis_is_not_told_beside_it(tmp_path: Path, receiver: Receiver) -> None:
    with mailbox() as mail, alertmanager(tmp_path, settings_for(receiver, mail.url)) as url:
        fire(url, "RedisDown", "critical")
        until(lambda: "/sms" in receiver.paths(), 30, "Redis is told of")
        fire(url, "QueueStuck", "critical", queue="high")
        fire(url, "TargetDown", "warning", job="appliance")
        fire(url, "TargetDown", "warning", job="node-exporter")
        told = "TargetDown node-exporter it is"
        until(lambda: told in json.dumps(receiver.taken), 30, "another target is told of")
        fire(url, "OutOfMemoryKill", "critical")
        until(lambda: "OutOfMemoryKill" in json.dumps(receiver.taken), 30, "what does not follow is told of")
    labels = [each["labels"] for path, body in receiver.taken if path == "/sms" for each in body["alerts"]]
    assert "QueueStuck" not in {each["alertname"] for each in labels}
    letters = [
        part.get_content() for each in mail.all() if (part := each.message.get_body(("plain",))) is not None
    ]
    assert not [text for text in letters if "TargetDown appliance" in text]
    assert "TargetDown appliance" not in json.dumps(receiver.taken)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.instead_of])
def test_what_the_appliance_tells_itself_stands_for_what_prometheus_sees(
    tmp_path: Path, receiver: Receiver, name: str
) -> None:
    kind = KINDS[name]
    same: dict[str, Any] = dict.fromkeys(kind.equal, "one")
    with mailbox() as mail, alertmanager(tmp_path, settings_for(receiver, mail.url)) as url:
        fire(url, name, kind.severity, **same)
        until(lambda: f"{name} " in json.dumps(receiver.taken), 30, "it is told")
        for rule in kind.instead_of:
            fire(url, rule, "critical", **same)
            if same:
                fire(url, rule, "critical", **dict[str, Any](dict.fromkeys(same, "another")))
        fire(url, "Last", "critical")
        told = ["Last it is", *(f"{rule} another it is" for rule in kind.instead_of if same)]
        until(lambda: all(each in json.dumps(receiver.taken) for each in told), 30, "the others are told")
    text = json.dumps(receiver.taken)
    for rule in kind.instead_of:
        assert " ".join([rule, *same.values(), "it is"]) not in text


def test_what_begins_together_is_one_message_and_a_page_is_of_one_name(
    tmp_path: Path, receiver: Receiver
) -> None:
    with mailbox() as mail, alertmanager(tmp_path, settings_for(receiver, mail.url)) as url:
        for name in ("RedisDown", "OutOfMemoryKill"):
            fire(url, name, "critical", seconds=0)
        until(lambda: len([1 for path, _ in receiver.taken if path == "/pagerduty"]) == 2, 30, "both page")
        until(lambda: mail.all(), 30, "the e-mail is there")
    (letter,) = mail.all()
    assert "and others on" in letter.message["Subject"]
    (slack,) = [body for path, body in receiver.taken if path == "/slack"]
    assert "RedisDown it is" in json.dumps(slack) and "OutOfMemoryKill it is" in json.dumps(slack)
    keys = {body["dedup_key"] for path, body in receiver.taken if path == "/pagerduty"}
    assert len(keys) == 2, "an incident each"


def test_its_api_asks_for_the_password(tmp_path: Path) -> None:
    with started(tmp_path, ALL) as (url, chosen):
        bare = f"http://127.0.0.1:{addresses.inner_port(chosen, 'alertmanager')}"
        for path in ("/api/v2/status", "/api/v2/alerts", "/api/v2/silences", "/metrics", "/-/healthy"):
            assert httpx.get(bare + path, trust_env=False).status_code == 401, path
            wrong = httpx.get(bare + path, auth=("appliance", "wrong"), trust_env=False)
            assert wrong.status_code == 401, path
        told = httpx.get(f"{url}/api/v2/status", trust_env=False)
        assert told.status_code == 200 and "sms.example.org" in told.text, "that is why"
        began = time.monotonic()
        for _ in range(20):
            httpx.get(f"{url}/-/healthy", trust_env=False).raise_for_status()
        assert (time.monotonic() - began) / 20 < 0.25


@pytest.mark.parametrize("without", [(), *((name,) for name in ALL), tuple(ALL)])
def test_what_is_not_set_is_left_out(tmp_path: Path, without: tuple[str, ...]) -> None:
    given = {name: value for name, value in ALL.items() if name not in without}
    chosen = settings.load({"APPLIANCE_DATA": str(tmp_path), **given}, dotenv=Path("/nonexistent"))
    config = routing.write(chosen, tmp_path)
    ended = subprocess.run(
        [launch.which("amtool"), "check-config", config], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    text = config.read_text()
    assert ("email_configs" in text) == ({"SMTP_URL", "ALERT_EMAIL"} <= given.keys())
    assert ("slack_configs" in text) == ("ALERT_SLACK_URL" in given)
    assert ("pagerduty_configs" in text) == ("ALERT_PAGERDUTY_KEY" in given)
    told = ("ALERT_SMS_URL" in given) + ("ALERT_WATCHDOG_URL" in given)
    assert text.count("webhook_configs") == 1 + told, "the inbox is always told"
    kept = {path.name.removeprefix("alertmanager."): path for path in tmp_path.glob("alertmanager.*_*")}
    assert ("slack_url" in kept) == ("ALERT_SLACK_URL" in given)
    assert ("pagerduty_key" in kept) == ("ALERT_PAGERDUTY_KEY" in given)
    assert ("smtp_password" in kept) == ({"SMTP_URL", "ALERT_EMAIL"} <= given.keys())
    for path in (config, *kept.values()):
        assert path.stat().st_mode & 0o077 == 0
    for secret in ("pa:ss", "k" * 32, "hooks.example.org"):
        assert secret not in text, "it has a file of its own"
    none = settings.load({"APPLIANCE_DATA": str(tmp_path)}, dotenv=Path("/nonexistent"))
    routing.write(none, tmp_path)
    assert not list(tmp_path.glob("alertmanager.*_*")), "what was unset is not kept"


def test_mail_goes_over_tls_except_on_this_machine(tmp_path: Path) -> None:
    def made(url: str) -> dict[str, Any]:
        given = {"APPLIANCE_DATA": str(tmp_path), "ALERT_EMAIL": "a@b.test", "SMTP_URL": url}
        chosen = settings.load(given, dotenv=Path("/nonexistent"))
        receivers = {each["name"]: each for each in routing.alertmanager(chosen, tmp_path)["receivers"]}
        found: dict[str, Any] = receivers["warning"]["email_configs"][0]
        return found

    told = made("smtp://us%40er:pa%3Ass@mail.test:587")
    assert (told["require_tls"], told["smarthost"]) == (True, "mail.test:587")
    assert told["auth_username"] == "us@er"
    assert told["auth_password_file"] == str(tmp_path / "alertmanager.smtp_password")
    assert made("smtps://mail.test")["smarthost"] == "mail.test:465"
    assert made("smtp://127.0.0.1:25")["require_tls"] is False
    assert made("smtp://[::1]")["smarthost"] == "[::1]:25"


def load(tmp_path: Path, **given: str) -> Settings:
    return settings.load({"APPLIANCE_DATA": str(tmp_path), **given}, dotenv=Path("/nonexistent"))


@pytest.mark.parametrize(
    "url",
    [
        "https://h/%zz", "https://h/%", "https://h:abc/", "https://h:0/", "https://h:65536/", "https://h/a\nb",
        "https://h/\x7f", 'https://h/"a"', "https://h/'a'", "https://h/ä", "https://[::1", "https://[1:2]/",
        "https://a b/", "https://h%41/", "https:///x", "ftp://h/", "https://h/a b", "h", "https://h/{{ .x }}",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_called_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match=r"ALERT_SLACK_URL=\(secret\) from environment: ") as refused:
        load(tmp_path, ALERT_SLACK_URL=url)
    assert url == "h" or url not in str(refused.value)


def test_alertmanager_takes_every_address_that_the_settings_take() -> None:
    chance = random.Random(7)
    made = (
        "https://h" + "".join(chance.choice("aZ0:@/?#%25[]!$&'*()~._-+=;,\"\\{}<> \tä") for _ in range(size))
        for size in range(1, 13)
        for _ in range(400)
    )
    taken = [url for url in made if is_taken(url)]
    taken += ["https://u:p@h.test:8443/a%20b?c=d#e", "http://[::1]:80/x", "http://10.0.0.1"]
    assert len(taken) > 100
    receivers = [{"name": "all", "webhook_configs": [{"url": url} for url in taken]}]
    config = json.dumps({"route": {"receiver": "all"}, "receivers": receivers})
    ended = subprocess.run(
        [launch.which("amtool"), "check-config"], input=config, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout


def is_taken(url: str) -> bool:
    try:
        return bool(settings.rows()["alert_sms_url"].parse(url) == url)
    except ValueError:
        return False


def test_what_alertmanager_refuses_is_told_before_it_is_started(tmp_path: Path) -> None:
    chosen = load(tmp_path, **ALL)
    assert list(preflight.find_alert_faults(chosen)) == []
    bad = replace(chosen, alert_sms_url="https://h/%zz")
    (fault,) = preflight.find_alert_faults(bad)
    assert fault.startswith("Alertmanager refuses what is made of ALERT_… and SMTP_URL: parse ")
    assert "%zz" not in fault, "it may be a secret"
    assert "; next: " in fault
    assert fault in preflight.find_faults(bad)
    assert list(preflight.find_alert_faults(replace(bad, monitoring=False))) == []


@pytest.mark.parametrize(
    "url, is_taken",
    [
        ("smtps://mail.test", True),
        ("smtps://mail.test:465", True),
        ("smtps://mail.test:2465", False),
        ("smtp://mail.test:465", False),
        ("smtp://mail.test:587", True),
        ("smtp://mail.test", True),
    ],
)
def test_mail_servers_that_alertmanager_cannot_speak_with_are_told(
    tmp_path: Path, url: str, is_taken: bool
) -> None:
    faults = list(preflight.find_alert_faults(load(tmp_path, SMTP_URL=url, ALERT_EMAIL="a@b.test")))
    assert (faults == []) == is_taken
    assert all(fault.startswith("SMTP_URL: ") and "; next: " in fault for fault in faults)
    assert list(preflight.find_alert_faults(load(tmp_path, SMTP_URL=url))) == [], "our own mail does"


def test_a_reload_takes_nothing_that_alertmanager_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = load(tmp_path)
    for name, value in {
        "APPLIANCE_DATA": str(tmp_path),
        "APPLIANCE_DOTENV": "/nonexistent",
        "ALERT_EMAIL": "a@b.test",
        "SMTP_URL": "smtps://mail.test:2465",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CannotStart, match="SMTP_URL: Alertmanager sends by smtps:// to port 465 alone"):
        reload.prepare(running, settings.held())


def test_the_switch_hears_about_every_five_minutes(tmp_path: Path) -> None:
    """Looked at each minute and due after four: a turn that comes a moment too early costs a minute."""
    route = routing.alertmanager(load(tmp_path, **ALL), tmp_path)["route"]["routes"][0]
    assert (route["group_interval"], route["repeat_interval"]) == ("1m", "4m")
