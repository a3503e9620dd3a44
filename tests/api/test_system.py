"""The operator's side by the API: findings, logs, restarts, secrets, backups; and what it keeps back."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest

from appliance.backups import book
from appliance.clock import utc_now
from appliance.settings import HOME
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until

SYSTEM = "/api/v1/system"


def deeds(cast: People, action: str) -> list[dict[str, Any]]:
    answer = cast.admin.get("/api/v1/audit", params={"action": action})
    return list(answer.json()["audit"])


def every_secret(appliance: Running) -> list[str]:
    """Values that no answer may have."""
    found = [appliance.settings.smtp_url or ""]
    for path in appliance.paths.secrets.iterdir():
        if path.suffix == ".json" and path.name != "seen.json":
            found += [key["secret"] for key in json.loads(path.read_text())]
        elif path.suffix != ".json":
            found += [line.partition(" ")[0] for line in path.read_text().splitlines() if line[:1] != "#"]
    return [each for each in found if len(each) > 8]


def test_the_findings_are_those_of_the_command(appliance: Running, cast: People) -> None:
    """One after the other, until nothing that others left has changed in between."""
    command = [sys.executable, "-P", "-m", "appliance", "doctor", "--json"]
    environ = {**appliance.environ, "PYTHONPATH": str(HOME)}

    def are_equal() -> bool:
        answer = cast.admin.get(f"{SYSTEM}/doctor", timeout=60)
        ended = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=60)
        assert answer.status_code == 200
        found, told = answer.json(), json.loads(ended.stdout)
        assert {row["check"] for row in found["findings"]} == {row["check"] for row in told}
        severity = ("ok", "warning", "error")[ended.returncode]
        return bool(found["findings"] == told and found["severity"] == severity)

    until(are_equal, 30, "the same findings")


def test_what_is_wrong_now_is_found_by_the_api(appliance: Running, cast: People) -> None:
    appliance.paths.maintenance.touch()
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(appliance.paths.api_socket(1)))) as inner:
            headers = {"authorization": cast.admin.headers["authorization"]}
            found = inner.get(f"http://inner{SYSTEM}/doctor", headers=headers, timeout=30).json()
    finally:
        appliance.paths.maintenance.unlink()
    (bad,) = [each for each in found["findings"] if each["check"] == "maintenance"]
    assert (bad["severity"], bad["next"]) == ("warning", "./scripts/appliance maintenance off")


def test_the_lines_of_one_request_are_found(appliance: Running, cast: People) -> None:
    request_id = cast.admin.get(f"{SYSTEM}/certificates").headers["x-request-id"]

    def lines() -> list[dict[str, Any]]:
        asked = {"request_id": request_id, "program": "nginx"}
        return list(cast.admin.get(f"{SYSTEM}/logs", params=asked).json()["logs"])

    until(lines)
    assert {line["program"] for line in lines()} == {"nginx"}
    assert {line["request_id"] for line in lines()} == {request_id}


def test_logs_are_bounded_chosen_and_without_secrets(appliance: Running, cast: People) -> None:
    secret = appliance.paths.redis_password.read_text().strip()
    log = appliance.paths.logs / "witness.log"
    rows = [
        {"time": "2026-01-01T00:00:00Z", "level": "info", "message": "long ago"},
        {"time": "2999-01-01T00:00:00Z", "level": "info", "message": f"it is {secret}"},
        {"time": "2999-01-01T00:00:01Z", "level": "error", "message": "x" * 9000, "more": "y" * 9000},
        {"time": "2999-01-01T00:00:02Z", "level": "warning", "message": "last", "count": 3},
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:

        def ask(**asked: Any) -> list[dict[str, Any]]:
            answer = cast.admin.get(f"{SYSTEM}/logs", params={"program": "witness", **asked})
            assert answer.status_code == 200 and answer.headers["cache-control"] == "private, no-store"
            assert secret not in answer.text
            return list(answer.json()["logs"])

        told = ask()
        assert [line["message"][:9] for line in told] == ["it is (se", "xxxxxxxxx", "last"]
        assert told[0]["message"] == "it is (secret)"
        assert (len(told[1]["message"]), told[1]["fields"]) == (8000, {"cut": True})
        assert told[2]["fields"] == {"count": 3}
        assert [line["message"] for line in ask(limit=1)] == ["last"]
        assert [line["level"] for line in ask(level="warning")] == ["error", "warning"]
        assert len(ask(since="2025-01-01T00:00:00Z")) == 4
    finally:
        log.unlink()


@pytest.mark.parametrize(
    "asked", [{"program": "nobody"}, {"since": "yesterday"}, {"limit": 0}, {"limit": 1001}, {"level": "loud"}]
)
def test_logs_that_nobody_can_give_are_refused(cast: People, asked: dict[str, Any]) -> None:
    answer = cast.admin.get(f"{SYSTEM}/logs", params=asked)
    assert answer.status_code == 400, answer.text
    assert "scripts" not in answer.text


def test_a_program_is_restarted(appliance: Running, cast: People) -> None:
    before = appliance.program("node-exporter")
    answer = cast.admin.post(f"{SYSTEM}/services/node-exporter/restart")
    after = appliance.program("node-exporter")
    assert answer.status_code == 202
    assert answer.json() == {"name": "node-exporter", "state": "running", "pid": after.pid}
    assert after.pid != before.pid and after.restarts == before.restarts
    (deed, *_) = deeds(cast, "service.restart_asked")
    assert (deed["subject"], bool(deed["actor"])) == ("node-exporter", True)


@pytest.mark.parametrize("name, status", [("api-1", 409), ("nginx", 409), ("api", 404), ("sshd", 404)])
def test_what_would_cut_the_answer_is_not_restarted(cast: People, name: str, status: int) -> None:
    count = len(deeds(cast, "service.restart_asked"))
    answer = cast.admin.post(f"{SYSTEM}/services/{name}/restart")
    assert answer.status_code == status
    assert ("./scripts/supervisorctl restart" in answer.json()["detail"]) == (status == 409)
    assert len(deeds(cast, "service.restart_asked")) == count


def test_a_restart_is_ended_though_the_api_dies_midway(appliance: Running, cast: People) -> None:
    """Between its stop and its start a program would else be left as one that was stopped by hand."""
    before = appliance.pid("alertmanager")
    os.kill(before, signal.SIGSTOP)  # so that its stop takes until supervisord kills it

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError), httpx.Client(timeout=60, trust_env=False) as client:
            headers = {"authorization": cast.admin.headers["authorization"]}
            client.post(f"{appliance.url}{SYSTEM}/services/alertmanager/restart", headers=headers)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: appliance.program("alertmanager").state == "STOPPING")
    for program in (name for name in names(appliance) if name.startswith("api-")):
        appliance.signal(program)
    asking.join()
    until(lambda: appliance.program("alertmanager").state == "RUNNING", 60)
    assert appliance.pid("alertmanager") != before
    appliance.until_ready()


def names(appliance: Running) -> list[str]:
    return [path.stem for path in appliance.paths.pids.glob("*.json")]


def test_secrets_are_told_by_name_and_never_by_value(appliance: Running, cast: People) -> None:
    answer = cast.admin.get(f"{SYSTEM}/secrets")
    rows = {row["name"]: row for row in answer.json()["secrets"]}
    assert {"jwt", "cursors", "webhooks", "database", "redis", "admin", "SMTP_URL"} <= set(rows)
    assert rows["redis"]["source"] == "here" and rows["redis"]["age"] >= 0
    assert rows["SMTP_URL"]["source"] == "environment"
    assert [each for each in every_secret(appliance) if each in answer.text] == []


def test_a_secret_of_ours_is_replaced(appliance: Running, cast: People) -> None:
    before = appliance.paths.cursor_key.read_text()
    answer = cast.admin.post(f"{SYSTEM}/secrets/cursors/rotate")
    assert answer.status_code == 200, answer.text
    assert answer.json()["told"][0].startswith("cursors: the new key signs")
    assert appliance.paths.cursor_key.read_text() != before
    assert [each for each in every_secret(appliance) if each in answer.text] == []
    assert deeds(cast, "secret.rotation_asked")[0]["subject"] == "cursors"


def test_the_first_admins_password_is_replaced_and_told_to_nobody(appliance: Running, cast: People) -> None:
    before = appliance.admin_password
    answer = cast.admin.post(f"{SYSTEM}/secrets/admin/rotate")
    assert answer.status_code == 200
    assert before != appliance.admin_password not in answer.text
    assert appliance.login()
    old = cast.nobody.post("/auth/login", json={"username": "admin", "password": before})
    assert old.status_code == 401
    assert cast.admin.get(SYSTEM).status_code == 200, "sessions go on"


@pytest.mark.parametrize(
    "name, status, words",
    [
        ("redis", 409, "./scripts/appliance secrets rotate redis"),
        ("database", 409, "./scripts/appliance secrets rotate database"),
        ("smtp", 409, "have the mail server give you another"),
        ("all", 404, "There is no such secret"),
    ],
)
def test_what_takes_more_is_refused_with_what_to_do(
    appliance: Running, cast: People, name: str, status: int, words: str
) -> None:
    before = appliance.paths.redis_password.read_text()
    answer = cast.admin.post(f"{SYSTEM}/secrets/{name}/rotate")
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert appliance.paths.redis_password.read_text() == before


def test_the_certificate_is_told_without_its_key(appliance: Running, cast: People) -> None:
    answer = cast.admin.get(f"{SYSTEM}/certificates")
    ((row),) = answer.json()["certificates"]
    assert row["kind"] == "self-signed" and "localhost" in row["names"]
    assert row["expires_at"] > row["begins_at"]
    assert "PRIVATE" not in answer.text


def test_a_backup_is_made_and_tried_out_when_asked_for(appliance: Running, cast: People) -> None:
    first = cast.admin.post(f"{SYSTEM}/backups")
    assert first.status_code == 202 and first.headers["location"] == f"{SYSTEM}/backups"
    again = cast.admin.post(f"{SYSTEM}/backups", json={"kind": "backup"})
    assert again.json()["kind"] == "backup"

    def course(kind: str) -> dict[str, Any]:
        courses = cast.admin.get(f"{SYSTEM}/backups").json()["courses"]
        return next(dict(each) for each in courses if each["kind"] == kind)

    until(lambda: course("backup")["asked_at"] is None, 60, "a backup")
    assert (course("backup")["failures"], course("backup")["error"]) == (0, None)
    answer = cast.admin.get(f"{SYSTEM}/backups")
    newest = answer.json()["backups"][0]
    assert newest["ours"] and newest["bytes"] > 1000 and newest["drilled_at"] is None
    assert (appliance.paths.backups / newest["name"]).is_file()
    assert [each for each in every_secret(appliance) if each in answer.text] == []
    assert cast.admin.post(f"{SYSTEM}/backups", json={"kind": "drill"}).status_code == 202
    until(lambda: course("drill")["asked_at"] is None, 60, "a drill")
    assert course("drill")["error"] is None
    assert cast.admin.get(f"{SYSTEM}/backups").json()["backups"][0]["drilled_at"]
    assert {"backup.asked", "drill.asked"} == {
        deed["action"] for name in ("backup.asked", "drill.asked") for deed in deeds(cast, name)
    }


def test_what_was_asked_for_is_over_when_one_that_began_since_has_ended() -> None:
    now = utc_now()
    noted = book.Course(asked_at=now)
    noted.succeed(now - dt.timedelta(seconds=1), "one that was under way", 1, 1, 1.0)
    assert noted.asked_at == now
    noted.succeed(now, "the one", 1, 1, 1.0)
    assert noted.asked_at is None


def test_what_was_asked_for_and_failed_is_not_asked_for_any_more() -> None:
    now = utc_now()
    noted = book.Course(asked_at=now)
    noted.fail(now, "no room")
    assert noted.asked_at is None
