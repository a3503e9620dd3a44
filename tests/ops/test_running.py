"""The operator's view of an appliance that really runs."""

from __future__ import annotations

import json
import subprocess
import sys

from appliance.settings import HOME
from tests.running import Running


def command(appliance: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "appliance", *arguments],
        env={**appliance.environ, "PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_status_shows_every_program_and_exits_0(appliance: Running) -> None:
    ended = command(appliance, "status", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(ended.stdout)
    programs = {row["name"]: row for row in report["programs"]}
    assert {"nginx", "redis", "mongo", "api-1", "worker-high", "worker-default", "scheduler"} <= set(programs)
    for row in programs.values():
        assert row["state"] == "RUNNING"
        assert row["memory"] > 1_000_000
        assert row["user"]
    assert report["doors"][0] == appliance.url
    assert report["ready"]["status"] == "ready"
    assert set(report["ready"]["dependencies"]) == {"mongodb", "redis"}
    assert report["problem"] is None


def test_status_for_people_marks_the_trial_database(appliance: Running) -> None:
    told = command(appliance, "status").stdout
    assert told.startswith("appliance 0.1.0: up\n")
    assert "secantusdb (trial" in told or "mongod" in told or "outside" in told


def test_doctor_finds_no_error(appliance: Running) -> None:
    ended = command(appliance, "doctor", "--json")
    errors = [row for row in json.loads(ended.stdout) if row["severity"] == "error"]
    assert errors == []
    warned = {row["check"] for row in json.loads(ended.stdout) if row["severity"] == "warning"}
    assert "rate-limit" in warned  # off in the tests
    assert ended.returncode == 1


def test_one_request_can_be_followed_through_the_logs(appliance: Running) -> None:
    with appliance.client() as client:
        request_id = client.get("/readyz").headers["x-request-id"]
    from tests.runtime.servers import until

    def lines() -> list[dict[str, object]]:
        ended = command(appliance, "logs", "--json", "--request-id", request_id)
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line) for line in ended.stdout.splitlines()]

    until(lambda: len(lines()) >= 1)
    assert {line["request_id"] for line in lines()} == {request_id}
    assert "nginx" in {line["program"] for line in lines()}


def test_supervisorctl_knows_the_programs(appliance: Running) -> None:
    ended = command(appliance, "supervisorctl", "status")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "api:api-1" in ended.stdout
