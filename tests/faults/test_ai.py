"""worker-ai in trouble: too little memory, too little time, told to stop. It alone suffers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance import cgroup_files, plan
from appliance.runtime.cgroups import tree
from appliance.stores import programs
from tests import models
from tests.api.tasks import PREFIX, paused, until_status
from tests.faults import ai_kills
from tests.faults.steering import api_names, open_redis, until_whole
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until

MIB = 2**20
STOP_SECONDS = 8.0
"""supervisord's patience with worker-ai."""
STORY = "Write a long story about a dragon who opens a bakery."


@pytest.fixture(autouse=True)
def _at_work(appliance: Running) -> None:
    models.until_at_work(appliance)


def ask(client: httpx.Client, text: str, **more: Any) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}
    return client.post("/v1/chat/completions", json=body, timeout=300)


def waiting_task(client: httpx.Client, *statuses: str) -> str:
    """The id of the newest chat, once it is in one of these states."""
    found: list[str] = []

    def is_there() -> bool:
        rows = client.get("/api/v1/tasks", params={"name": "chat"}).json()["tasks"]
        found[:] = [row["task_id"] for row in rows if row["status"] in statuses]
        return bool(found)

    until(is_there, 30, f"a chat is {statuses}")
    return found[0]


def test_a_limit_ends_a_long_prompt_within_a_second(appliance: Running, cast: People) -> None:
    text = f"{time.time()} What is this about? " + "Once more, with feeling. " * 520
    assert ask(cast.admin, "Hello", max_tokens=1).status_code == 200, "the model is loaded"
    with ThreadPoolExecutor(1) as pool:
        with paused(cast.admin, "batched"):
            asked = pool.submit(ask, cast.admin, text, max_tokens=5)
            task_id = waiting_task(cast.admin, "queued")
            with open_redis(appliance) as redis:
                redis.hset(f"{PREFIX}task:{task_id}", "soft", 500)
        answer = asked.result()
    assert answer.status_code == 503, answer.text
    assert "longer than the 0.5 s" in answer.json()["detail"]
    task = cast.admin.get(f"/api/v1/tasks/{task_id}").json()
    assert task["execution_time"] < 0.5 + 1.0
    assert ask(cast.admin, "Hello", max_tokens=1).status_code == 200


def test_a_stop_ends_what_is_being_written(appliance: Running, cast: People) -> None:
    """The task is given back without a charge, and done once somebody is there again."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, cast.admin, STORY, max_tokens=150)
        task_id = waiting_task(cast.admin, "running")
        worker = appliance.pid("worker-ai")
        began = time.monotonic()
        os.kill(worker, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{worker}").exists(), STOP_SECONDS, "it has ended")
        took = time.monotonic() - began
        with open_redis(appliance) as redis:
            assert redis.hget(f"{PREFIX}task:{task_id}", "crashes") == "0"
        assert asked.result().status_code == 200
    assert took < STOP_SECONDS, "supervisord would have killed it"
    until_whole(appliance)


@contextmanager
def held_to(appliance: Running, most: int) -> Iterator[plan.Plan]:
    """As if worker-ai had so many bytes. Skips where the kernel does not hold it."""
    found = plan.find(appliance.paths)
    assert found
    folder = found.folder_of("memory", "worker-ai")
    if folder is None or os.geteuid() != 0:
        pytest.skip("no memory cgroup is to be had here")
    file = next(path for name in ("memory.max", "memory.limit_in_bytes") if (path := folder / name).exists())
    before = cgroup_files.find_memory_limit(folder)
    tree.write(file, most)
    try:
        yield found
    finally:
        tree.write(file, before or -1)


def test_too_little_memory_ends_worker_ai_alone_and_the_job_goes_on(appliance: Running, cast: People) -> None:
    form_id = ai_kills.filled(cast.alice, 64)
    others = {name: appliance.pid(name) for name in ("redis", "mongo", *api_names(appliance))}
    # A new process, so that no model is loaded, and what it needs is more than there is.
    appliance.signal("worker-ai")
    until_whole(appliance)
    models.until_at_work(appliance)
    with held_to(appliance, 110 * MIB) as found:
        before = programs.use(found, "worker-ai", None).oom_kills or 0
        task_id = ai_kills.analyze(cast.alice, form_id)
        until(lambda: (programs.use(found, "worker-ai", None).oom_kills or 0) > before, 60, "it was killed")
    assert until_status(cast.alice, task_id, "completed", seconds=90)["result"]["responses"] == 64
    assert {name: appliance.pid(name) for name in others} == others, "nobody else suffered"
    assert all(not programs.use(found, name, None).oom_kills for name in others)
    until_whole(appliance)


def test_kills_in_the_middle_of_an_analysis(appliance: Running, cast: People) -> None:
    """`scripts/faults ai` is the same for 1,000 responses."""
    summary = ai_kills.compare(appliance, cast.alice, responses=160, kills=2, seed=5)
    assert summary.kills == 2
    assert summary.is_clean, summary
    until_whole(appliance)
