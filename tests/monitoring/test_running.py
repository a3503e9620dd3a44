"""The monitoring programs as they run: each target is up, and what the rules ask about is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from appliance import addresses
from appliance.runtime import monitoring
from tests.monitoring.test_rules import asked
from tests.running import Running
from tests.runtime.servers import until

LATER = {
    "appliance_lake_as_of_timestamp_seconds",
    "appliance_lake_drift_responses",
    "appliance_lake_due_timestamp_seconds",
    "appliance_http_request_duration_seconds_bucket",
    "appliance_http_requests_total",
    "appliance_tasks_total",
    "appliance_queue_oldest_seconds",
}
"""Told once there was a run, or a task."""


def ask(appliance: Running, path: str, name: str = "prometheus", **parameters: str) -> Any:
    port = addresses.inner_port(appliance.settings, name)
    login = ("appliance", appliance.paths.alertmanager_password.read_text().strip())
    answer = httpx.get(f"http://127.0.0.1:{port}{path}", params=parameters, auth=login, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def up(appliance: Running) -> dict[str, str]:
    rows = ask(appliance, "/api/v1/query", query="up")["data"]["result"]
    return {row["metric"]["job"]: row["value"][1] for row in rows}


def test_all_targets_are_up(appliance: Running) -> None:
    wanted = dict.fromkeys(("appliance", *monitoring.PROGRAMS), "1")
    until(lambda: up(appliance) == wanted, 60, "all targets are up")


def test_what_the_rules_ask_about_is_told(appliance: Running) -> None:
    wanted = asked() - LATER
    told: set[str] = set()

    def is_told() -> bool:
        told.update(ask(appliance, "/api/v1/label/__name__/values")["data"])
        return wanted <= told

    until(is_told, 60, f"all of {wanted} is told")


def test_the_rules_are_loaded_and_the_watchdog_reaches_alertmanager(appliance: Running) -> None:
    rules = ask(appliance, "/api/v1/rules")["data"]["groups"]
    assert {group["name"] for group in rules} == {
        "recorded",
        "machine",
        "programs",
        "requests",
        "work",
        "safety",
    }
    assert not [rule for group in rules for rule in group["rules"] if rule["health"] == "err"]

    def is_there() -> bool:
        return "Watchdog" in {
            one["labels"]["alertname"] for one in ask(appliance, "/api/v2/alerts", "alertmanager")
        }

    until(is_there, 60, "the watchdog is heard")


def test_they_keep_to_their_memory(appliance: Running) -> None:
    """Proportional set sizes, in MiB, of a share of 256."""
    found = 0
    for name in monitoring.PROGRAMS:
        lines = (Path("/proc") / str(appliance.pid(name)) / "smaps_rollup").read_text()
        found += next(int(line.split()[1]) for line in lines.splitlines() if line.startswith("Pss:"))
    assert found / 1024 < 200


def test_no_secret_is_seen(appliance: Running) -> None:
    password = appliance.paths.redis_password.read_text().strip().encode()
    for name in monitoring.PROGRAMS:
        folder = Path("/proc") / str(appliance.pid(name))
        assert password not in (folder / "cmdline").read_bytes()
        environ = (folder / "environ").read_bytes()
        assert password not in environ and b"ALERT_" not in environ and b"SMTP_URL" not in environ
    assert (appliance.paths.run / "redis-exporter.json").stat().st_mode & 0o077 == 0


def test_they_listen_on_this_machine_alone(appliance: Running) -> None:
    """As the kernel has it: 0100007F is 127.0.0.1."""
    ports = {f"{addresses.inner_port(appliance.settings, name):04X}" for name in addresses.INNER_PORTS}
    listening = [
        line.split()[1].split(":")
        for table in ("tcp", "tcp6")
        for line in (Path(f"/proc/net/{table}")).read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    found = {port: address for address, port in listening if port in ports}
    assert found == dict.fromkeys(ports, "0100007F")
