"""Tasks, queues and dead letters as callers see them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import httpx

from tests.api.forms import errors, publish, submit, walk
from tests.api.tasks import (
    PREFIX,
    events,
    fail_for_good,
    make_due,
    paused,
    until_status,
    waiting,
)
from tests.faults.steering import api_names, open_redis, supervisorctl, until_whole
from tests.mailbox import BUSY, Mailbox
from tests.people import People, share
from tests.running import Running, unique
from tests.runtime.servers import until


def _watched(cast: People, *addresses: str) -> str:
    return publish(cast.alice, public=True, notify=list(addresses) or [f"{unique('w')}@example.org"])


def test_a_task_tells_how_it_went(cast: People, mailbox: Mailbox) -> None:
    form_id = _watched(cast)
    (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
    task = until_status(cast.alice, task_id, "completed")
    assert (task["name"], task["queue"], task["form_id"]) == ("notify_watchers", "default", form_id)
    assert (task["attempts"], task["error"], task["result"], task["progress"]) == (1, None, None, None)
    assert task["created_at"] <= task["started_at"] <= task["finished_at"]
    assert 0 < task["execution_time"] < 5
    assert task["due_at"] is None
    assert cast.alice.delete(f"/api/v1/tasks/{task_id}").status_code == 409, "it has ended already"


def test_a_list_shows_only_tasks_of_forms_that_one_may_edit(cast: People, appliance: Running) -> None:
    form_id = _watched(cast)
    made = [submit(cast.nobody, form_id).json()["task_ids"][0] for _ in range(5)]
    share(appliance, form_id, "bob", "view")
    seen = walk(cast.alice, "/api/v1/tasks", "tasks", limit=2, form_id=form_id)
    assert [task["task_id"] for task in seen] == made[::-1], "newest first, across pages"
    assert walk(cast.admin, "/api/v1/tasks", "tasks", form_id=form_id) == walk(
        cast.alice, "/api/v1/tasks", "tasks", form_id=form_id
    )
    for client in (cast.bob, cast.charlie):
        assert walk(client, "/api/v1/tasks", "tasks", form_id=form_id) == []
    until_status(cast.alice, made[-1], "completed")
    filters: list[dict[str, str]] = [{"status": "failed"}, {"queue": "high"}, {"name": "other"}]
    for wanted in filters:
        assert cast.alice.get("/api/v1/tasks", params={"form_id": form_id, **wanted}).json()["tasks"] == []
    refused = cast.alice.get("/api/v1/tasks", params={"status": "done"})
    assert (refused.status_code, list(errors(refused))) == (400, ["/status"])


def test_a_cursor_is_good_for_its_list_and_its_caller_only(cast: People) -> None:
    form_id = _watched(cast)
    for _ in range(3):
        submit(cast.nobody, form_id)
    page = cast.alice.get("/api/v1/tasks", params={"limit": 1, "form_id": form_id}).json()
    for client, asked in ((cast.admin, {"form_id": form_id}), (cast.alice, {})):
        answer = client.get("/api/v1/tasks", params={"cursor": page["next_cursor"], **asked})
        assert answer.status_code == 400


def test_what_waits_is_cancelled_for_good(cast: People, appliance: Running, mailbox: Mailbox) -> None:
    _form_id, response_id, task_id = waiting(cast.alice)
    assert cast.alice.delete(f"/api/v1/tasks/{task_id}").status_code == 204
    task = cast.alice.get(f"/api/v1/tasks/{task_id}").json()
    assert (task["status"], task["due_at"]) == ("cancelled", None)
    assert task["finished_at"] is not None
    assert _event(appliance, response_id)["state"] == "cancelled", "before it is answered"
    assert cast.alice.delete(f"/api/v1/tasks/{task_id}").status_code == 204, "the same again"
    with open_redis(appliance) as redis:
        until(lambda: redis.ttl(f"{PREFIX}task:{task_id}") > 3000, 10, "forgotten in an hour")
        assert redis.zscore(f"{PREFIX}due", task_id) is None


def test_nobody_cancels_what_is_not_theirs(cast: People, appliance: Running) -> None:
    form_id, _, task_id = waiting(cast.alice)
    path = f"/api/v1/tasks/{task_id}"
    share(appliance, form_id, "bob", "view")
    cast.alice.patch(f"/api/v1/forms/{form_id}", json={"title": "Read anew"})
    for client, status in ((cast.nobody, 401), (cast.charlie, 404), (cast.bob, 403)):
        assert client.delete(path).status_code == client.get(path).status_code == status
        assert client.get(f"{path}/events").status_code == status
    assert cast.alice.get(path).json()["status"] == "retrying"
    for client in (cast.alice, cast.admin):
        assert client.get("/api/v1/tasks/no-such-task").status_code == 404


def test_a_dead_letter_is_replayed_and_discarded(cast: People, appliance: Running) -> None:
    form_id, response_id, task_id = waiting(cast.alice)
    fail_for_good(appliance, cast.alice, task_id)
    path = f"/api/v1/dead-letters/{task_id}"
    (letter,) = walk(cast.alice, "/api/v1/dead-letters", "dead_letters", form_id=form_id)
    assert letter == cast.alice.get(path).json()
    assert (letter["name"], letter["status"], letter["replays"]) == ("notify_watchers", "dead", 0)
    assert letter["arguments"] == {"form_id": form_id, "response_id": response_id, "to": BUSY}
    assert [
        ("450" in each["error"], each["started_at"] <= each["ended_at"]) for each in letter["attempts"]
    ] == [(True, True)] * 2
    assert _event(appliance, response_id)["state"] == "dead"

    answer = cast.alice.post(f"{path}/replay")
    assert (answer.status_code, answer.json()["task_id"]) == (202, task_id)
    assert answer.headers["location"] == answer.json()["status_url"] == f"/api/v1/tasks/{task_id}"
    assert cast.alice.post(f"{path}/replay").status_code == 409
    assert cast.alice.delete(path).status_code == 409
    assert walk(cast.alice, "/api/v1/dead-letters", "dead_letters", form_id=form_id) == []
    task = until_status(cast.alice, task_id, "retrying")
    assert task["attempts"] == 1, "with all its retries before it"

    fail_for_good(appliance, cast.alice, task_id)
    until(lambda: cast.alice.get(path).json()["status"] == "dead", 20, "dead again")
    letter = cast.alice.get(path).json()
    assert (letter["replays"], len(letter["attempts"])) == (1, 4)
    assert cast.alice.delete(path).status_code == 204
    assert cast.alice.get(path).status_code == cast.alice.delete(path).status_code == 404
    assert walk(cast.alice, "/api/v1/dead-letters", "dead_letters", form_id=form_id) == []
    deeds = cast.admin.get("/api/v1/audit", params={"subject": task_id}).json()["audit"]
    assert [deed["action"] for deed in deeds] == ["dead_letter.discarded", "dead_letter.replayed"]


def test_a_replay_outlives_an_emptied_redis(cast: People, appliance: Running, mailbox: Mailbox) -> None:
    _form_id, response_id, task_id = waiting(cast.alice)
    fail_for_good(appliance, cast.alice, task_id)
    with paused(cast.admin, "default"), open_redis(appliance) as redis:
        assert cast.alice.post(f"/api/v1/dead-letters/{task_id}/replay").status_code == 202
        redis.flushall()
        assert _event(appliance, response_id)["state"] == "pending"
        until(lambda: redis.sismember(f"{PREFIX}paused", "default"), 10, "the pause is there again")
        until(lambda: redis.exists(f"{PREFIX}task:{task_id}"), 30, "the relay has sent it again")
        # A walk of the relay that began before may have sent it before the pause was there again.
        assert redis.hget(f"{PREFIX}task:{task_id}", "state") in ("queued", "running", "retrying")
    until_status(cast.alice, task_id, "retrying")


def test_what_nobody_can_do_any_more_is_not_replayed(cast: People, appliance: Running) -> None:
    _form_id, response_id, task_id = waiting(cast.alice)
    fail_for_good(appliance, cast.alice, task_id)
    with appliance.database() as client:
        client.get_default_database("appliance").responses.delete_one({"_id": response_id})
    answer = cast.alice.post(f"/api/v1/dead-letters/{task_id}/replay")
    assert (answer.status_code, "discard" in answer.json()["detail"]) == (409, True)
    assert cast.alice.delete(f"/api/v1/dead-letters/{task_id}").status_code == 204


def test_dead_letters_are_for_those_who_manage_the_form(cast: People, appliance: Running) -> None:
    form_id, _, task_id = waiting(cast.alice)
    fail_for_good(appliance, cast.alice, task_id)
    share(appliance, form_id, "bob", "view")
    cast.alice.patch(f"/api/v1/forms/{form_id}", json={"title": "Read anew"})
    for client, status in ((cast.nobody, 401), (cast.charlie, 404), (cast.bob, 403)):
        path = f"/api/v1/dead-letters/{task_id}"
        assert client.get(path).status_code == client.delete(path).status_code == status
        assert client.post(f"{path}/replay").status_code == status
    for client in (cast.charlie, cast.bob):
        assert walk(client, "/api/v1/dead-letters", "dead_letters", form_id=form_id) == []
    assert len(walk(cast.admin, "/api/v1/dead-letters", "dead_letters", form_id=form_id)) == 1


def test_a_paused_queue_begins_nothing(cast: People) -> None:
    form_id = _watched(cast)
    with paused(cast.admin, "default"):
        (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
        until(lambda: _queue(cast.alice, "default")["depth"] >= 1, 10, "it waits")
        queue = _queue(cast.alice, "default")
        assert (queue["paused"], queue["running"]) == (True, 0)
        assert 0 <= queue["oldest_age"] < 60
        assert cast.alice.get(f"/api/v1/tasks/{task_id}").json()["status"] == "queued"
        assert cast.admin.post("/api/v1/queues/default/pause").json()["paused"] is True, "the same again"
    assert _queue(cast.alice, "default")["paused"] is False
    until_status(cast.alice, task_id, "completed")
    assert cast.admin.post("/api/v1/queues/none/pause").status_code == 404
    assert cast.alice.post("/api/v1/queues/default/pause").status_code == 403
    names = [queue["name"] for queue in cast.alice.get("/api/v1/queues").json()["queues"]]
    assert names == ["high", "default", "batched"]


def test_events_tell_each_state_until_the_end(cast: People, appliance: Running) -> None:
    form_id = _watched(cast)
    with paused(cast.admin, "default"):
        (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
        until_status(cast.alice, task_id, "queued")
        stream = cast.alice.stream("GET", f"/api/v1/tasks/{task_id}/events")
        with stream as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "private, no-store"
            told = events(answer.iter_lines())
            assert next(told)["status"] == "queued"
            cast.admin.post("/api/v1/queues/default/resume").raise_for_status()
            statuses = [task["status"] for task in told]
    assert statuses[-1] == "completed"
    assert set(statuses) <= {"running", "completed"}
    with cast.alice.stream("GET", f"/api/v1/tasks/{task_id}/events") as answer:
        assert [task["status"] for task in events(answer.iter_lines())] == ["completed"], "and it ends"


def test_who_loses_the_right_to_listen_hears_no_more(cast: People, appliance: Running) -> None:
    _form_id, _, task_id = waiting(cast.alice)
    with appliance.client(appliance.login("alice", "correct horse battery staple")) as listener:
        with listener.stream("GET", f"/api/v1/tasks/{task_id}/events") as answer:
            lines = answer.iter_lines()
            assert next(events(lines))["status"] == "retrying"
            listener.post("/auth/logout").raise_for_status()
            assert not [line for line in lines if line.startswith("data")], "it ends by itself"
    assert cast.alice.get(f"/api/v1/tasks/{task_id}").json()["status"] == "retrying"
    make_due(appliance, task_id)


def test_nobody_takes_all_places_of_listeners(cast: People, appliance: Running) -> None:
    _, _, task_id = waiting(cast.alice)
    path = f"/api/v1/tasks/{task_id}/events"
    with ExitStack() as stack:
        statuses = [stack.enter_context(cast.alice.stream("GET", path)).status_code for _ in range(2 * 8 + 4)]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) <= 8 * len(api_names(appliance))
        with cast.admin.stream("GET", path) as answer:
            assert answer.status_code == 200
            assert next(events(answer.iter_lines()))["status"] == "retrying"


def test_a_dead_letter_that_the_engine_forgot_cannot_be_cancelled(cast: People, appliance: Running) -> None:
    form_id, _response_id, task_id = waiting(cast.alice)
    fail_for_good(appliance, cast.alice, task_id)
    with open_redis(appliance) as redis:
        redis.delete(f"{PREFIX}task:{task_id}")
    task = cast.alice.get(f"/api/v1/tasks/{task_id}").json()
    assert (task["status"], task["attempts"], task["form_id"]) == ("failed", 2, form_id)
    assert cast.alice.delete(f"/api/v1/tasks/{task_id}").status_code == 409


def test_listeners_do_not_hold_up_a_restart(cast: People, appliance: Running) -> None:
    _, _, task_id = waiting(cast.alice)
    with cast.alice.stream("GET", f"/api/v1/tasks/{task_id}/events") as answer:
        lines = answer.iter_lines()
        next(events(lines))
        begun = time.monotonic()
        assert supervisorctl(appliance, "restart", "api:*").returncode == 0
        assert time.monotonic() - begun < 10
        assert not [line for line in lines if line.startswith("data")], "the stream has an end"
    until_whole(appliance)
    assert cast.alice.get(f"/api/v1/tasks/{task_id}").json()["status"] == "retrying"


def _queue(client: httpx.Client, name: str) -> dict[str, Any]:
    queues = client.get("/api/v1/queues").json()["queues"]
    found: dict[str, Any] = next(queue for queue in queues if queue["name"] == name)
    return found


def _event(appliance: Running, response_id: str) -> dict[str, Any]:
    with appliance.database() as client:
        row = client.get_default_database("appliance").responses.find_one({"_id": response_id})
    assert row is not None
    (event,) = row["events"]
    found: dict[str, Any] = event
    return found
