"""`scripts/faults queue`: tasks come in while workers, whole pools and Redis are killed at random.

Every effect lies in MongoDB under its task's id. Nothing is sent again once Redis has acknowledged it, so
what is missing in the end was lost by the engine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pymongo
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from appliance import addresses, processes, settings
from appliance.addresses import Paths
from appliance.queue.engine import PREFIX
from appliance.runtime import folders
from appliance.runtime.mongo import ensure_port
from tests.faults import queue_program
from tests.queue.conftest import Engine
from tests.runtime.servers import kill_group, operator_environ, temporary_data, until

KINDS = {"child": 60, "parent": 15, "tree": 15, "redis": 10}
"""What is killed, and how often out of a hundred: who runs tasks, who keeps the leases, both, Redis."""
POOLS, SIZE = 2, 2
AHEAD = 100
"""Tasks that are sent and not done: they come in all the time."""


class Summary(NamedTuple):
    tasks: int
    kills: dict[str, int]
    runs: int
    run_after_effect: int
    """Runs that found their effect done: what idempotency is for."""
    duplicates: int
    lost: int
    not_completed: int
    left: int
    """Processes of any pool that outlived it."""
    seconds: float

    @property
    def is_clean(self) -> bool:
        return not (self.duplicates or self.lost or self.not_completed or self.left)


@contextmanager
def mongo() -> Iterator[str]:
    """The URI of an embedded MongoDB, as the appliance starts its own."""
    with temporary_data() as data:
        environ = operator_environ(data)
        chosen = settings.load(environ, dotenv=Path("/nonexistent"))
        folders.create(Paths(chosen.data))
        folders.create_secrets(Paths(chosen.data), chosen)
        ensure_port(Paths(chosen.data))
        code = "from appliance.runtime.launch import launch; launch('mongo')"
        child = subprocess.Popen([sys.executable, "-P", "-c", code], env=environ, process_group=0)
        try:
            until(lambda: _answers(addresses.mongodb_uri(chosen)), 60, "mongo")
            yield addresses.mongodb_uri(chosen)
        finally:
            kill_group(child.pid)
            child.wait()


def _answers(uri: str) -> bool:
    try:
        with pymongo.MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=500) as client:
            return bool(client.appliance.command("ping"))
    except PyMongoError:
        return False


class Kills:
    """One run: `run` sends all tasks, kills as often as asked, and waits until everything is done."""

    def __init__(self, engine: Engine, database: Any, tasks: int, kills: int, seed: int) -> None:
        self._engine, self._database, self._chance = engine, database, random.Random(seed)
        self._ids = [f"t{number}" for number in range(tasks)]
        self._kills, self._done, self._seen = kills, Counter[str](), 0
        self._trees: list[subprocess.Popen[bytes]] = []
        self._stopped = threading.Event()

    def run(self, *, patience: float = 120) -> Summary:
        began = time.monotonic()
        self._trees = [self._engine.pool(SIZE, "default") for _ in range(POOLS)]
        sender = threading.Thread(target=self._send_all, name="sender")
        sender.start()
        try:
            for goal in sorted(self._chance.sample(range(len(self._ids) * 98 // 100), self._kills)):
                until(lambda: self._completed() >= goal, 120, f"{goal} are done")  # noqa: B023
                self._kill(self._chance.choices(list(KINDS), list(KINDS.values()))[0])
            sender.join(120)
            self._finish(patience)
        finally:
            self._stopped.set()
            sender.join()
        return self._summary(time.monotonic() - began)

    def _send_all(self) -> None:
        """As whoever has promised something: again until Redis has said yes."""
        storage = self._engine.storage
        for number, task_id in enumerate(self._ids):
            while number - self._completed() > AHEAD and not self._stopped.wait(0.02):
                pass
            while not self._stopped.is_set():
                try:
                    storage.send(queue_program.job(task_id))
                    break
                except (RedisError, OSError):
                    self._stopped.wait(0.05)

    def _completed(self) -> int:
        """As Redis has it (SecantusDB counts by looking at all rows); while that is away, as it was."""
        with contextlib.suppress(RedisError, OSError):
            self._seen = int(self._engine.redis.hget(f"{PREFIX}counts", "completed:default") or 0)
        return self._seen

    def _kill(self, kind: str) -> None:
        self._done[kind] += 1
        number = self._chance.randrange(POOLS)
        tree = self._trees[number]
        if kind == "redis":
            self._engine.kill_redis()
            self._engine.start_redis()
        elif kind == "child":
            until(lambda: self._kill_child_of(tree.pid), 15, "a child")
        else:
            (os.killpg if kind == "tree" else os.kill)(tree.pid, signal.SIGKILL)
            tree.wait()
            self._trees[number] = self._engine.pool(SIZE, "default")

    def _kill_child_of(self, parent: int) -> bool:
        """Whether one was there to kill: between the look and the kill it may have ended, or not begun."""
        found = children(parent)
        with contextlib.suppress(ProcessLookupError):
            if found:
                os.kill(self._chance.choice(found), signal.SIGKILL)
                return True
        return False

    def _finish(self, patience: float) -> None:
        """What crashed more than once waits for its time, here as if it had come."""
        deadline = time.monotonic() + patience
        while self._open() and time.monotonic() < deadline:
            for task_id in self._engine.redis.zrange(f"{PREFIX}due", 0, -1):
                self._engine.redis.zadd(f"{PREFIX}due", {task_id: 0}, xx=True)
            time.sleep(0.2)
        for tree in self._trees:
            tree.terminate()
            tree.wait(15)

    def _open(self) -> list[str]:
        pipe = self._engine.redis.pipeline(transaction=False)
        for task_id in self._ids:
            pipe.hget(f"{PREFIX}task:{task_id}", "state")
        return [each for each, state in zip(self._ids, pipe.execute(), strict=True) if state != "completed"]

    def _summary(self, seconds: float) -> Summary:
        effects = [row["_id"] for row in self._database.effects.find()]
        return Summary(
            tasks=len(self._ids),
            kills=dict(self._done),
            runs=self._database.runs.count_documents({}),
            run_after_effect=self._database.runs.count_documents({"was_done": True}),
            duplicates=len(effects) - len(set(effects)),
            lost=len(set(self._ids) - set(effects)),
            not_completed=len(self._open()),
            left=len(left_of({tree.pid for tree in self._engine.pools})),
            seconds=round(seconds, 1),
        )


def children(parent: int) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except OSError:
        return []


def left_of(groups: set[int]) -> list[int]:
    """Processes of these groups that are still there."""
    found = {pid: processes.find_stat(pid) for pid in processes.all_pids()}
    return [pid for pid, stat in found.items() if stat and stat.group in groups and stat.state != "Z"]


def kill(tasks: int, kills: int, seed: int) -> Summary:
    """Start what is needed, and run."""
    with ExitStack() as stack:
        uri = stack.enter_context(mongo())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="kills-"))
        client = stack.enter_context(pymongo.MongoClient[dict[str, Any]](uri))
        engine = Engine(Path(folder), queue_program.__name__, KILLS_MONGO=uri)
        engine.start_redis()
        stack.callback(engine.close)
        return Kills(engine, client[addresses.DATABASE], tasks, kills, seed).run()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/faults queue", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    summary = kill(asked.tasks, asked.kills, asked.seed)
    for name, value in summary._asdict().items():
        told = (
            ", ".join(f"{kind} {count}" for kind, count in value.items())
            if isinstance(value, dict)
            else value
        )
        print(f"{name.replace('_', ' '):18} {told}")
    return 0 if summary.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
