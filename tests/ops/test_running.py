"""The operator's view of an appliance that really runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.ops import instance
from appliance.settings import HOME
from tests.ops.command import appliance_command
from tests.running import Running
from tests.runtime.servers import until


def command(appliance: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*appliance.through, sys.executable, "-P", "-m", "appliance", *arguments],
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
    assert {
        "nginx",
        "redis",
        "mongo",
        "api-1",
        "worker-high",
        "worker-default",
        "worker-ai",
        "scheduler",
        "guardian",
    } <= set(programs)
    for row in programs.values():
        assert row["state"] == "RUNNING"
        assert row["memory"] > 1_000_000
        assert row["user"]
    assert report["doors"][0] == appliance.url
    assert report["ready"]["status"] == "ready"
    assert set(report["ready"]["dependencies"]) == {"mongodb", "redis", "disk"}
    assert report["problem"] is None
    assert report["backups"]["drill"]["failures"] == 0


def test_healthcheck_says_in_one_line_that_all_is_well(appliance: Running) -> None:
    ended = command(appliance, "healthcheck")
    assert (ended.returncode, ended.stdout) == (0, "every program runs, both doors answer\n"), ended


def test_healthcheck_says_what_is_not_there(tmp_path: Path) -> None:
    ended = appliance_command("healthcheck", data=tmp_path / "data")
    assert ended.returncode == 1
    assert f"the appliance is not running on {tmp_path / 'data'}; next: ./scripts/up" in ended.stdout


def test_status_for_people_marks_the_trial_database(appliance: Running) -> None:
    told = command(appliance, "status").stdout
    assert told.startswith("appliance 0.1.0: up\n")
    assert "secantusdb (trial" in told or "mongod" in told or "outside" in told


def elsewhere(appliance: Running, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """As in another terminal, which knows where the data is at most."""
    return appliance_command(*arguments, data=appliance.paths.data, **environ)


def test_settings_that_came_by_the_environment_are_told_in_another_terminal(appliance: Running) -> None:
    port = appliance.settings.http_port
    ended = elsewhere(appliance, "status", APPLIANCE_HTTP_PORT="8079")
    assert ended.returncode == 0, ended.stdout
    assert appliance.url in ended.stdout
    assert f"it runs with APPLIANCE_HTTP_PORT {port}, and 8079 holds here; " in ended.stdout
    ended = elsewhere(appliance, "doctor", "--json", APPLIANCE_HTTP_PORT="8079")
    rows = [row for row in json.loads(ended.stdout) if row["severity"] != "ok"]
    assert not [row for row in rows if row["severity"] == "error"]
    told = [row["meaning"] for row in rows if row["check"] == "running-settings"]
    assert f"it runs with APPLIANCE_HTTP_PORT {port}, and 8079 holds here" in told
    assert "it runs with RATE_LIMIT off, and on holds here" in told


@pytest.mark.parametrize(
    "words,status",
    [
        ("status", 0),
        ("healthcheck", 0),
        ("logs -n 1 nginx", 0),
        ("supervisorctl status", 0),
        ("maintenance off", 0),
        ("secrets list", 0),
        ("doctor", 2),
    ],
)
def test_a_setting_that_cannot_be_used_hides_nothing_of_what_runs(
    appliance: Running, words: str, status: int
) -> None:
    ended = elsewhere(appliance, *words.split(), APPLIANCE_TOKEN_HOURS="never")
    assert ended.returncode == status, ended.stdout + ended.stderr
    told = "APPLIANCE_TOKEN_HOURS='never' from environment: a whole number is needed"
    if words in ("status", "healthcheck", "supervisorctl status"):
        assert ended.stderr.splitlines() == [
            f"appliance: {told}",
            "appliance: what runs was started before that; next: correct it, then ./scripts/appliance reload",
        ]
    if words == "status":
        assert appliance.url in ended.stdout
    if words == "doctor":
        assert told in ended.stdout
        assert "every program runs" in ended.stdout


def test_an_appliance_on_another_folder_is_found(appliance: Running, tmp_path: Path) -> None:
    ended = appliance_command("status", data=tmp_path / "data")
    assert ended.returncode == 1
    assert f"the appliance is not running on {tmp_path / 'data'}; next: ./scripts/up" in ended.stdout
    data = appliance.paths.data
    assert f"it runs on {data}: set APPLIANCE_DATA={data} in this terminal" in ended.stdout
    assert instance.name_folder(data, Path(".env"), {}).startswith(f"put APPLIANCE_DATA={data} into .env")


def test_maintenance_shows_in_status(appliance: Running) -> None:
    assert json.loads(command(appliance, "status", "--json").stdout)["maintenance"] is False
    appliance.paths.maintenance.touch()
    try:
        ended = command(appliance, "status")
        assert ended.returncode == 0
        assert "maintenance is on" in ended.stdout
        assert "next: ./scripts/appliance maintenance off" in ended.stdout
    finally:
        appliance.paths.maintenance.unlink()


def test_only_ends_that_nobody_asked_for_count_as_restarts(appliance: Running) -> None:
    before = appliance.program("scheduler")
    ended = command(appliance, "supervisorctl", "restart", "scheduler")
    assert ended.returncode == 0, ended.stdout
    after = appliance.program("scheduler")
    assert after.pid != before.pid
    assert after.restarts == before.restarts
    appliance.signal("scheduler")
    until(lambda: appliance.program("scheduler").restarts == before.restarts + 1)
    until(lambda: appliance.program("scheduler").is_running)


def test_what_was_stopped_by_hand_is_told_so_with_the_command_that_starts_it(appliance: Running) -> None:
    start = "next: ./scripts/supervisorctl start"
    assert command(appliance, "supervisorctl", "stop", "redis", "worker-default").returncode == 0
    try:
        ended = command(appliance, "status")
        assert ended.returncode == 1
        head, *rest = ended.stdout.splitlines()
        assert head == (
            "appliance 0.1.0: NOT UP: redis, worker-default were stopped by hand;"
            f" {start} redis worker-default"
        )
        assert rest[-1].endswith("next: ./scripts/appliance doctor"), rest
        told = command(appliance, "healthcheck").stdout
        assert f"redis stopped by hand; {start} redis; worker-default stopped by hand; {start} " in told
    finally:
        assert command(appliance, "supervisorctl", "start", "redis", "worker-default").returncode == 0
        appliance.until_ready()


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


def test_supervisorctl_takes_the_short_names(appliance: Running) -> None:
    ended = command(appliance, "supervisorctl", "status", "api")
    assert ended.stdout.count("api:api-") == len(ended.stdout.splitlines()) >= 2
    ended = command(appliance, "supervisorctl", "pid", "api-2")
    assert ended.stdout.split() == [str(appliance.pid("api-2"))]
    for action in ("stop", "start"):
        ended = command(appliance, "supervisorctl", action, "api-2")
        assert ended.returncode == 0, ended.stdout
        if action == "stop":
            assert "next: ./scripts/supervisorctl start api-2" in command(appliance, "status").stdout
    until(lambda: appliance.program("api-2").is_running)
