"""Messages and results that nothing can be made of, and tasks that are hard to stop: others go on."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import Any, cast

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from appliance.queue import status
from appliance.queue.engine import PREFIX
from appliance.queue.execution import LARGEST
from appliance.services import task_endings
from tests.queue.conftest import Engine

POISON = {
    "arguments that are no text": ("mark", b"\xff{", "malformed|Invalid"),
    "arguments that are cut off": ("mark", b'{"seconds": 1', "truncated"),
    "arguments that are no object": ("mark", b"[1, 2]", "Expected `object`"),
    "a task that nobody knows": ("no_such_task", b"{}", "there is no task called no_such_task"),
}


def put(engine: Engine, task_id: str, task: str, arguments: bytes) -> None:
    """As somebody else's program would, or an older version of ours."""
    more = [task_id, task, "default", arguments, 3, 300_000, 330_000, 0, "", "", 0, 1000]
    assert engine.storage._scripts["enqueue"](args=more) == 1


def told(engine: Engine, task_id: str) -> tuple[list[str], str]:
    """State, attempts, retries and crashes, and the error. The arguments may not be text."""
    names = ["state", "attempts", "retries", "crashes", "error"]
    *numbers, error = engine.redis.hmget(f"{PREFIX}task:{task_id}", names)
    return numbers, error or ""


@pytest.mark.parametrize("kind", POISON)
def test_a_poisonous_message_fails_at_once_and_others_go_on(engine: Engine, kind: str) -> None:
    task, arguments, expected = POISON[kind]
    put(engine, "poison", task, arguments)
    engine.send("next")
    engine.pool(1, "default")
    engine.until_state("next", "completed")
    numbers, error = told(engine, "poison")
    assert numbers == ["failed", "1", "0", "0"]
    assert re.search(expected, error), error
    assert engine.redis.lrange(f"{PREFIX}unsettled", 0, -1) == ["poison"], "it becomes a dead letter"
    assert b"a worker died" not in engine.log.read_bytes()
    known = asyncio.run(seen(engine, "poison"))
    assert known is not None and (known.state, known.arguments) == ("failed", {})
    row = status.text_of(
        cast(Any, Redis(unix_socket_path=str(engine.socket))).hgetall(f"{PREFIX}task:poison")
    )
    letter = task_endings._letter("poison", row)
    assert (letter["task"], letter["arguments"], len(letter["attempts"])) == (task, {}, 1)


async def seen(engine: Engine, task_id: str) -> status.Known | None:
    async with AsyncRedis(unix_socket_path=str(engine.socket)) as redis:
        return await status.find(redis, task_id)


def test_a_result_that_is_too_large_or_no_json_fails_at_once(engine: Engine) -> None:
    engine.send("fits", "give", size=LARGEST - 2)
    engine.send("large", "give", size=LARGEST)
    engine.send("strange", "give_no_json")
    engine.pool(1, "default")
    engine.until_state("strange", "failed")
    assert engine.state("fits") == "completed"
    assert told(engine, "large")[0] == told(engine, "strange")[0] == ["failed", "1", "0", "0"]
    assert f"its result has {LARGEST + 2} bytes" in told(engine, "large")[1]
    assert "its result is not JSON" in told(engine, "strange")[1]


def test_what_stops_a_task_in_the_middle_of_a_report_harms_nobody(engine: Engine) -> None:
    """Half an answer may still be on its way to the process: the next task must not take it for its own."""
    for number in range(5):
        engine.send(f"chatter-{number}", "chatter")
    engine.send("next")
    engine.pool(1, "default", lease=15)  # it keeps a processor busy, and leases are not what this is about
    engine.until_state("next", "completed", 20)
    for number in range(5):
        task = engine.task(f"chatter-{number}")
        assert (task["state"], task["attempts"], task["crashes"]) == ("failed", "1", "0")
        assert "longer than the 0.5 s" in task["error"]
        assert int(task["progress"].strip("[").partition(",")[0]) > 10, "it did report"


def test_sigterm_gives_back_what_runs_while_many_wait(engine: Engine) -> None:
    """Nothing is charged, nothing lost, and what was given back is first in turn."""
    for number in range(200):
        engine.send(f"t{number}", "nap", seconds=0.3)
    pool = engine.pool(4, "default")
    engine.until_begun("t9")
    pool.send_signal(signal.SIGTERM)
    assert pool.wait(8) == 0
    tasks = {f"t{number}": engine.task(f"t{number}") for number in range(200)}
    waiting = [task_id for task_id, task in tasks.items() if task["state"] == "queued"]
    assert {task["state"] for task in tasks.values()} == {"completed", "queued"}
    given_back = [task_id for task_id in waiting if engine.begun(task_id)]
    assert 1 <= len(given_back) <= 4
    assert all(tasks[task_id]["attempts"] == "0" for task_id in waiting)
    assert all((task["retries"], task["crashes"]) == ("0", "0") for task in tasks.values())
    turns = engine.redis.lrange(f"{PREFIX}list:default", 0, -1)[::-1]
    assert sorted(turns) == sorted(waiting)
    assert set(turns[: len(given_back)]) == set(given_back)
