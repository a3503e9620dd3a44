"""`appliance queue` as an operator calls it, on a running appliance."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.api.accounts import command
from tests.api.forms import publish, submit
from tests.api.tasks import fail_for_good, until_status, waiting
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until


def _listed(appliance: Running) -> dict[str, Any]:
    done = command(appliance, "queue", "list", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _queue(appliance: Running, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in _listed(appliance)["queues"] if each["name"] == name)
    return found


def test_pause_purge_resume(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True, notify=[f"{unique('w')}@example.org"])
    assert command(appliance, "queue", "pause", "default").stdout == "default is paused; what runs goes on\n"
    try:
        responses = [submit(cast.nobody, form_id).json() for _ in range(3)]
        tasks = [response["task_ids"][0] for response in responses]
        for task_id in tasks:
            until_status(cast.alice, task_id, "queued")
        queue = _queue(appliance, "default")
        assert queue["paused"] is True
        assert queue["depth"] >= 3
        asked = command(appliance, "queue", "purge", "default")
        assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
        assert cast.alice.get(f"/api/v1/tasks/{tasks[0]}").json()["status"] == "queued"
        purged = command(appliance, "queue", "purge", "default", "--yes")
        assert purged.returncode == 0, purged.stderr
        assert purged.stdout.endswith("tasks of default were cancelled\n")
        assert _queue(appliance, "default")["depth"] == 0
    finally:
        assert command(appliance, "queue", "resume", "default").stdout == "default goes on\n"
    assert {cast.alice.get(f"/api/v1/tasks/{task_id}").json()["status"] for task_id in tasks} == {"cancelled"}
    until(
        lambda: _states(appliance, form_id) == {"cancelled"}, 10, "the database knows: it is not sent again"
    )
    deeds = cast.admin.get("/api/v1/audit", params={"subject": "default", "limit": 3}).json()["audit"]
    assert [(deed["action"], deed["actor"]) for deed in deeds] == [
        ("queue.resumed", None),
        ("queue.purged", None),
        ("queue.paused", None),
    ]


def test_retry(appliance: Running, cast: People) -> None:
    _, _, task_id = waiting(cast.alice)
    fail_for_good(appliance, cast.alice, task_id)
    assert task_id in {letter["task_id"] for letter in _listed(appliance)["dead_letters"]}
    table = command(appliance, "queue", "list").stdout
    assert table.startswith("QUEUE")
    assert f"{task_id}  notify_watchers" in table
    done = command(appliance, "queue", "retry", task_id)
    assert (done.returncode, done.stdout) == (0, "1 task begins anew\n")
    assert until_status(cast.alice, task_id, "retrying")["attempts"] == 1
    again = command(appliance, "queue", "retry", task_id, "no-such-task")
    assert (again.returncode, again.stdout) == (1, "0 tasks begin anew\n")
    assert [line.partition(":")[0] for line in again.stderr.splitlines()] == [task_id, "no-such-task"]
    for arguments in ([], ["--all", task_id]):
        assert command(appliance, "queue", "retry", *arguments).returncode == 2


def test_doctor_tells_of_them(appliance: Running, cast: People) -> None:
    _, _, task_id = waiting(cast.alice)
    fail_for_good(appliance, cast.alice, task_id)
    command(appliance, "queue", "pause", "batched")
    try:
        told = command(appliance, "doctor")
    finally:
        command(appliance, "queue", "resume", "batched")
    assert told.returncode >= 1
    assert re.search(r"the queue batched is paused, \d+ wait there", told.stdout), told.stdout
    assert "next: ./scripts/appliance queue resume batched" in told.stdout
    assert "tasks have failed for good: " in told.stdout


def test_what_is_no_queue(appliance: Running) -> None:
    for verb, more in (("pause", []), ("resume", []), ("purge", ["--yes"])):
        done = command(appliance, "queue", verb, "low", *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert "there are high, default, batched" in done.stderr.lower()


def _states(appliance: Running, form_id: str) -> set[str]:
    with appliance.database() as client:
        rows = client.get_default_database("appliance").responses.find({"form_id": form_id})
        return {event["state"] for row in rows for event in row["events"]}
