"""The whole appliance as an operator starts it: a real `appliance up`, free ports, its own data folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pymongo

from appliance import addresses, courses, settings
from appliance.addresses import Paths
from appliance.courses import Phase
from appliance.ops import supervisor
from appliance.runtime.guardian import supervision
from appliance.settings import HOME
from tests import statuses
from tests.runtime.servers import operator_environ, temporary_data, until

START_SECONDS = 60.0
NO_BACKUPS = {"BACKUP_CRON": "0 0 1 1 *", "BACKUP_DRILL_CRON": "0 0 1 1 *"}
"""None comes in between while a test looks at one."""


class Running:
    """A started appliance and the handles that tests hold it by.

    Tests kill the same programs again and again, and the guardian lets them wait, longer each time. So there
    is an operator who starts at once what waits, which begins afresh, unless he `is_patient`.
    """

    is_patient = False

    def __init__(self, data: Path, **environ: str) -> None:
        self.environ = {**operator_environ(data), "RATE_LIMIT": "off", **NO_BACKUPS, **environ}
        self.settings = settings.load(self.environ, dotenv=Path("/nonexistent"))
        self.paths = Paths(data)
        self.url = f"http://127.0.0.1:{self.settings.http_port}"
        self.log = data.parent / "up.log"
        self.check_status = statuses.Checker(self.url)
        self.through: list[str] = []
        """A command that runs what follows it."""
        self._child: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [*self.through, sys.executable, "-m", "appliance", "up"]
            self._child = subprocess.Popen(
                command, cwd=HOME, env=self.environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._over.clear()
        self._operator = threading.Thread(target=self._operate, name="operator")
        self._operator.start()
        self.until_ready()

    def _operate(self) -> None:
        asked = supervision.Supervision(self.paths)
        while not self._over.wait(0.1):
            for name, course in courses.read(self.paths).courses.items():
                if course.phase == Phase.WAITING and not self.is_patient:
                    with contextlib.suppress(*supervision.FAULTS):
                        asked.start(supervisor.full_name(name))

    def until_ready(self, seconds: float = START_SECONDS) -> None:
        try:
            until(self.is_ready, seconds, "ready")
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{self.last_words()}") from None

    def last_words(self) -> str:
        """The ends of what the parent and the programs said."""
        logs = [self.log, *sorted(self.paths.logs.glob("*.log"))]
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def is_ready(self) -> bool:
        child = self._child
        assert child is None or child.poll() is None, (
            f"appliance up has ended:\n{self.log.read_text()[-3000:]}"
        )
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == 200
        return False

    def stop(self) -> int:
        """The exit status."""
        self._over.set()
        self._operator.join()
        assert self._child is not None
        self._child.terminate()
        try:
            return self._child.wait(60)
        finally:
            self._child.kill()
            self._child.wait()

    def client(self, token: str | None = None, **more: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        hooks: dict[str, list[Callable[..., Any]]] = {"response": [self.check_status]}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=30, trust_env=False, event_hooks=hooks, **more
        )

    @property
    def admin_password(self) -> str:
        return self.paths.admin_password.read_text().strip()

    def login(self, username: str = "admin", password: str | None = None) -> str:
        body = {"username": username, "password": password or self.admin_password}
        with self.client() as client:
            answer = client.post("/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    def program(self, name: str) -> supervisor.Program:
        return next(each for each in supervisor.ask(self.paths) if each.name == name)

    def pid(self, name: str) -> int:
        """Waits until the program runs."""
        found: list[int | None] = []

        def runs() -> bool:
            found.append(self.program(name).pid)
            return found[-1] is not None

        until(runs, 30, f"{name} runs")
        assert found[-1] is not None
        return found[-1]

    def signal(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """To the program's whole process group, as a kernel out of memory would not be choosy."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid(name), number)

    def database(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(addresses.mongodb_uri(self.settings), timeoutMS=10_000, tz_aware=True)


@contextmanager
def running(**environ: str) -> Iterator[Running]:
    with temporary_data() as data:
        data.parent.mkdir(parents=True, exist_ok=True)
        appliance = Running(data, **environ)
        try:
            appliance.start()
            yield appliance
        finally:
            appliance.stop()


def unique(word: str) -> str:
    return f"{word}-{secrets.token_hex(4)}"
