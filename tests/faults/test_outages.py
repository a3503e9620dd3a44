"""Redis away, MongoDB away, workers and API processes killed: who is told what, and how fast it is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from redis.exceptions import RedisError

from appliance.clock import utc_now
from appliance.queue.engine import PREFIX
from appliance.services.context import open_context
from appliance.tasks.relay import Relay
from tests.api.forms import publish, submit
from tests.faults.steering import (
    RELAY_SECONDS,
    api_names,
    counters,
    frozen,
    is_alive,
    open_redis,
    pending,
    readiness,
    seconds_since,
    settle_as_if_later,
    stopped,
    stored,
    straight_to,
    until_whole,
)
from tests.mailbox import Mailbox
from tests.people import PASSWORD, People
from tests.running import Running, unique
from tests.runtime.servers import reachable, until

WATCHERS = ["watcher@example.org"]
"""So that each response has a task: an e-mail."""
ANSWER_SECONDS = 5.0
RECOVERY_SECONDS = 5.0
SERVICE_BACK_SECONDS = 2.0
"""From the kill of one API process until no request fails any more."""
API_BACK_SECONDS = 10.0
"""Until that process itself answers again; a busy machine takes long to import it."""
CLIENTS = 8


# -- Redis


def test_without_redis_answers_are_taken_and_read(appliance: Running, cast: People, mailbox: Mailbox) -> None:
    form_id = publish(cast.alice, public=True, notify=WATCHERS)
    with stopped(appliance, "redis"):
        until(lambda: readiness(appliance) == "degraded", 10, "degraded")
        with appliance.client() as client:
            assert client.get("/readyz").status_code == 200
        for number in range(20):
            start = time.monotonic()
            assert submit(cast.nobody, form_id, age=number).status_code == 201
            assert seconds_since(start) < ANSWER_SECONDS
        listed = cast.alice.get(f"/api/v1/forms/{form_id}/responses").json()["responses"]
        assert len(listed) == 20
        assert cast.nobody.get(f"/api/v1/forms/{form_id}").status_code == 200
        assert _login(appliance).status_code == 200
        assert len(pending(appliance, form_id)) == 20
    until(lambda: readiness(appliance) == "ready", 10, "ready again")
    until(lambda: not pending(appliance, form_id), RELAY_SECONDS, "the relay has sent what waited")
    assert set(mailbox.told(form_id)) == {row["_id"] for row in stored(appliance, form_id)}


def test_a_flushed_redis_is_filled_again(appliance: Running, cast: People, mailbox: Mailbox) -> None:
    form_id = publish(cast.alice, public=True, notify=WATCHERS)
    with frozen(appliance, "worker-default"):
        for _ in range(20):
            assert submit(cast.nobody, form_id).status_code == 201
        with open_redis(appliance) as client:
            until(lambda: _queued(appliance) >= 16, 10, "tasks wait")  # each frozen process may hold one
            client.flushall()
    assert len(pending(appliance, form_id)) >= 16
    until(lambda: not pending(appliance, form_id), RELAY_SECONDS, "the relay has sent what was lost")
    assert set(mailbox.told(form_id)) == {row["_id"] for row in stored(appliance, form_id)}


def test_the_relay_waits_for_no_age_once_redis_was_away(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True, notify=WATCHERS)

    async def relay_over_an_outage() -> int:
        context, relay = open_context(appliance.settings), Relay()
        await relay(context, utc_now)  # by now it knows this Redis
        with stopped(appliance, "redis"):
            for _ in range(3):
                assert submit(cast.nobody, form_id).status_code == 201
            with pytest.raises(RedisError):
                await relay(context, utc_now)
        until(lambda: readiness(appliance) == "ready", 10, "ready again")
        sent = await relay(context, utc_now)
        await context.close()
        return sent

    with stopped(appliance, "scheduler"):
        assert asyncio.run(relay_over_an_outage()) == 3, "though they are younger than what it usually sends"


def _queued(appliance: Running) -> int:
    with open_redis(appliance) as client:
        return int(client.llen(f"{PREFIX}list:default"))


def _task(appliance: Running, task_id: str) -> dict[str, str]:
    """As the engine knows it."""
    with open_redis(appliance) as client:
        return dict(client.hgetall(f"{PREFIX}task:{task_id}"))


# -- MongoDB


@contextmanager
def _mongo_stopped(appliance: Running) -> Iterator[None]:
    with stopped(appliance, "mongo"):
        yield


@contextmanager
def _mongo_frozen(appliance: Running) -> Iterator[None]:
    with frozen(appliance, "mongo"):
        yield


AWAY = pytest.mark.parametrize("away", [_mongo_stopped, _mongo_frozen], ids=["stopped", "frozen"])
Away = Callable[[Running], AbstractContextManager[None]]


@AWAY
def test_without_mongo_callers_are_told_in_time(appliance: Running, cast: People, away: Away) -> None:
    form_id = publish(cast.alice, public=True)
    _warm(appliance, cast, form_id)
    requests: list[Callable[[], httpx.Response]] = [
        lambda: submit(cast.nobody, form_id, unique("lost")),
        # Not the first page: that one is served from the cache for as long as nothing has changed it.
        lambda: cast.alice.get(f"/api/v1/forms/{form_id}/responses", params={"status": "accepted"}),
        lambda: _login(appliance),
    ]
    with away(appliance):
        for request in requests:
            _is_told_in_time(request)
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(_is_told_in_time, (requests[number % 3] for number in range(20))))
        with appliance.client() as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").status_code == 503
    until(lambda: readiness(appliance) == "ready", RECOVERY_SECONDS, "ready again")
    assert submit(cast.nobody, form_id).status_code == 201


@AWAY
def test_what_was_told_503_is_written_once(appliance: Running, cast: People, away: Away) -> None:
    """A frozen database may still write what its clients have given up: a retry by key must find it."""
    form_id = publish(cast.alice, public=True)
    _warm(appliance, cast, form_id)
    keys = [unique("key") for _ in range(20)]

    def send(key: str) -> httpx.Response:
        return submit(cast.nobody, form_id, key, words=key)

    with ThreadPoolExecutor(20) as pool:
        with away(appliance):
            assert {answer.status_code for answer in pool.map(send, keys)} == {503}
        until_whole(appliance)
        assert {answer.status_code for answer in pool.map(send, keys)} == {201}
    rows = stored(appliance, form_id)
    words = [row["data"]["words"] for row in rows if "words" in row["data"]]
    assert sorted(words) == sorted(keys)


def test_the_api_recovers_by_itself(appliance: Running, cast: People) -> None:
    """Within 5 s of the port's first answer, however long the database itself takes to start."""
    form_id = publish(cast.alice, public=True)
    port = int(appliance.paths.mongo_port.read_text())
    appliance.signal("mongo")
    until(lambda: not reachable(port), 10, "mongo is gone")
    until(lambda: reachable(port), 60, "mongo is back")
    until(lambda: readiness(appliance) == "ready", RECOVERY_SECONDS, "ready again")
    for name in api_names(appliance):
        with straight_to(appliance, name) as client:
            assert submit(client, form_id).status_code == 201


def test_a_form_outlives_the_database_that_is_killed_at_once(appliance: Running, cast: People) -> None:
    """Forms are written by transactions, which are to be as durable as responses are."""
    for _ in range(3):
        form_id = publish(cast.alice, public=True)
        pid = appliance.pid("mongo")
        appliance.signal("mongo")
        until(lambda pid=pid: appliance.pid("mongo") != pid, 10, "mongo is started again")  # type: ignore[misc]
        until_whole(appliance)
        form = cast.alice.get(f"/api/v1/forms/{form_id}")
        assert form.status_code == 200
        assert form.json()["status"] == "published"
        assert submit(cast.nobody, form_id).status_code == 201


def test_an_api_that_starts_without_mongo_answers(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with stopped(appliance, "mongo"):
        for name in api_names(appliance):
            appliance.signal(name)
        for name in api_names(appliance):
            until(lambda name=name: is_alive(appliance, name), 15, f"{name} lives")  # type: ignore[misc]
            with straight_to(appliance, name) as client:
                assert client.get("/readyz").status_code == 503
                _is_told_in_time(lambda client=client: submit(client, form_id))  # type: ignore[misc]
    until(lambda: readiness(appliance) == "ready", RECOVERY_SECONDS, "ready again")
    until_whole(appliance)
    assert submit(cast.nobody, form_id).status_code == 201


def _warm(appliance: Running, cast: People, form_id: str) -> None:
    """Each API process has seen the form and has connections, as while it serves."""
    for name in api_names(appliance):
        with straight_to(appliance, name) as client:
            assert submit(client, form_id).status_code == 201
    assert cast.alice.get(f"/api/v1/forms/{form_id}/responses").status_code == 200


def _login(appliance: Running) -> httpx.Response:
    with appliance.client() as client:
        return client.post("/auth/login", json={"username": "alice", "password": PASSWORD})


def _is_told_in_time(request: Callable[[], httpx.Response]) -> None:
    start = time.monotonic()
    answer = request()
    assert seconds_since(start) < ANSWER_SECONDS
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["type"] == "/problems/unavailable"


# -- processes


@pytest.mark.parametrize("name", ["nginx", "worker-default", "api-1"])
def test_a_program_whose_main_process_alone_is_killed_comes_back_whole(
    appliance: Running, cast: People, name: str
) -> None:
    """Its children may live on, and hold its ports: nginx's do."""
    main = appliance.pid(name)
    children = _descendants(main)
    assert children
    os.kill(main, signal.SIGKILL)
    until(lambda: appliance.program(name).pid not in (None, main), 20, f"{name} is started again")
    until_whole(appliance)
    started = appliance.pid(name)
    form_id = publish(cast.alice, public=True)
    assert submit(cast.nobody, form_id).status_code == 201
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 10, "no child is left")
    assert appliance.pid(name) == started, "once is enough"


def _descendants(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def test_a_task_whose_worker_died_midway_is_done_later(
    appliance: Running, cast: People, mailbox: Mailbox
) -> None:
    form_id = publish(cast.alice, public=True, notify=WATCHERS)
    with frozen(appliance, "worker-default"):
        response = submit(cast.nobody, form_id).json()
        (task_id,) = response["task_ids"]
        appliance.signal("mongo", signal.SIGSTOP)  # the task will hang in its first question
    try:
        until(lambda: _task(appliance, task_id).get("state") == "running", 10, "it runs")
        appliance.signal("worker-default")
    finally:
        appliance.signal("mongo", signal.SIGCONT)
    until_whole(appliance)
    until(lambda: not pending(appliance, form_id), RELAY_SECONDS, "another worker has done it")
    until(lambda: _task(appliance, task_id).get("state") == "completed", 10, "and said so")
    assert _task(appliance, task_id)["crashes"] == "1"
    assert mailbox.told(form_id) == [response["response_id"]]


def test_what_is_replayed_after_a_lost_verdict_is_listed(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}"

    def seen() -> tuple[int, int]:
        rows = cast.alice.get(f"{path}/responses").json()["responses"]
        return len(rows), cast.alice.get(path).json()["response_count"]

    for turn in range(3):
        told = []
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(submit, cast.nobody, form_id, f"lost-{turn}")
            time.sleep(0.005 * turn)
            with frozen(appliance, "mongo"):
                told.append(sent.result().status_code)
        until_whole(appliance)
        until(lambda: all(seen() == seen() for _ in range(8)), 10, "read by every process")
        again = submit(cast.nobody, form_id, f"lost-{turn}")
        assert again.status_code == 201, told
        assert [seen() for _ in range(8)] == [(turn + 1, turn + 1)] * 8


def test_killing_one_api_harms_only_what_it_was_doing(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    with _load(appliance, form_id) as (acknowledged, failed):
        until(lambda: len(acknowledged) > 100, 30, "under load")
        pid, killed_at = appliance.pid("api-1"), time.monotonic()
        appliance.signal("api-1")
        until(lambda: appliance.pid("api-1") != pid, 10, "api-1 is started again")
        until(lambda: is_alive(appliance, "api-1"), API_BACK_SECONDS, "api-1 is back")
        back, before = seconds_since(killed_at), len(acknowledged)
        until(lambda: len(acknowledged) > before + 100, 30, "load goes on")
    print(f"api-1 was back after {back:.2f} s; {len(failed)} of {len(acknowledged)} failed")
    assert len(failed) <= CLIENTS, "one request in flight for each client"
    assert all(moment < killed_at + SERVICE_BACK_SECONDS for moment in failed)
    kept = {row["_id"] for row in stored(appliance, form_id)}
    assert set(acknowledged) <= kept
    settle_as_if_later(appliance)
    assert counters(appliance, form_id)["taken"] == len(kept)


@contextmanager
def _load(appliance: Running, form_id: str) -> Iterator[tuple[list[str], list[float]]]:
    """Clients that never send twice: ids of what was acknowledged, moments of what failed."""
    acknowledged: list[str] = []
    failed: list[float] = []
    over = threading.Event()

    def send() -> None:
        with appliance.client() as client:
            while not over.is_set():
                answer = None
                with contextlib.suppress(httpx.HTTPError):
                    answer = submit(client, form_id)
                if answer is not None and answer.status_code == 201:
                    acknowledged.append(answer.json()["response_id"])
                else:
                    assert answer is None or answer.status_code >= 500
                    failed.append(time.monotonic())

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(send) for _ in range(CLIENTS)]
        try:
            yield acknowledged, failed
        finally:
            over.set()
        for client in clients:
            client.result()


def test_a_pause_without_redis_is_refused_and_leaves_nothing(appliance: Running, cast: People) -> None:
    with stopped(appliance, "redis"):
        answer = cast.admin.post("/api/v1/queues/default/pause")
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    until_whole(appliance)
    with appliance.database() as client:
        rows = list(client.get_default_database("appliance").queues.find({"paused": True}))
    assert rows == []
    assert {queue["paused"] for queue in cast.admin.get("/api/v1/queues").json()["queues"]} == {False}
