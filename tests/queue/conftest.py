"""A Redis with its journal on, and pools started against it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from appliance.queue.engine import PREFIX, LeasedStorage, open_queue
from appliance.queue.scripts import Job
from appliance.runtime import launch
from appliance.settings import HOME
from tests.queue import program
from tests.runtime.servers import answers, until

LEASE = 3.0
"""Seconds; shorter than the product's, so that a test can see one end."""


class Engine:
    """What a test does to the engine, and what it sees of it."""

    def __init__(self, folder: Path, module: str = program.__name__, **environ: str) -> None:
        """`module` is the program of its pools."""
        self._module, self._environ = module, os.environ | environ
        self.socket = folder / "redis.sock"
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self.pools: list[subprocess.Popen[bytes]] = []
        self.log = folder / "pools.log"

    def start_redis(self) -> None:
        self.socket.unlink(missing_ok=True)
        command = [
            launch.which("redis-server"),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
        ]
        more = ["--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "everysec"]
        self._server = subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL)
        until(lambda: answers(self.socket) and self.redis.ping(), what="redis")

    def signal_redis(self, number: signal.Signals) -> None:
        assert self._server is not None
        self._server.send_signal(number)

    def kill_redis(self) -> None:
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    @property
    def redis(self) -> Any:
        return Redis(unix_socket_path=str(self.socket), decode_responses=True)

    @property
    def marks(self) -> Any:
        return Redis(unix_socket_path=str(self.socket), db=1, decode_responses=True)

    @property
    def storage(self) -> LeasedStorage:
        return open_queue(Redis(unix_socket_path=str(self.socket)), lease=LEASE).storage

    def send(self, task_id: str, task: str = "mark", **arguments: Any) -> bool:
        return self.storage.send(Job(task_id, task, arguments))

    def pool(self, size: int, *queues: str, lease: float = LEASE) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", self._module, str(self.socket), str(size), str(lease), *queues]
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command, cwd=HOME, env=self._environ, stdout=log, stderr=log, process_group=0
            )
        self.pools.append(child)
        return child

    def task(self, task_id: str) -> dict[str, str]:
        return dict(self.redis.hgetall(f"{PREFIX}task:{task_id}"))

    def state(self, task_id: str) -> str | None:
        return self.task(task_id).get("state")

    def until_state(self, task_id: str, state: str, seconds: float = 15) -> None:
        until(lambda: self.state(task_id) == state, seconds, f"{task_id} is {state}")

    def begun(self, task_id: str) -> list[int]:
        """Processes that began it, in order."""
        return [int(pid) for pid in self.marks.lrange(f"begun:{task_id}", 0, -1)]

    def until_begun(self, task_id: str, times: int = 1, seconds: float = 15) -> float:
        """Seconds that it took."""
        started = time.monotonic()
        until(lambda: len(self.begun(task_id)) >= times, seconds, f"{task_id} begun {times} times")
        return time.monotonic() - started

    def as_if_due(self, task_id: str) -> None:
        """What the passing of its waiting time does."""
        assert self.redis.zadd(f"{PREFIX}due", {task_id: 0}, xx=True, ch=True) == 1

    def close(self) -> None:
        for child in self.pools:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self.kill_redis()


@pytest.fixture(scope="module")
def server() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        engine = Engine(Path(folder))
        engine.start_redis()
        try:
            yield engine
        finally:
            engine.close()


@pytest.fixture
def engine(server: Engine) -> Iterator[Engine]:
    """Empty, and no pool at work."""
    with contextlib.suppress(RedisError):
        server.redis.flushall()
    yield server
    for child in server.pools:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    server.pools.clear()
