"""Copies of the code with a migration more, and `appliance up` of them on real data."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from pymongo.database import Database

from appliance import settings
from appliance.addresses import Paths
from appliance.ops import database_alone
from appliance.settings import HOME, Settings
from appliance.stores import dumps
from appliance.stores.dumps import Tally
from tests.runtime.servers import operator_environ, until

RESPONSES = 300
HEAD = '''"""Each response gets a mark."""
import pathlib, time
def run(db, told):
    rows = db.responses
    total = rows.estimated_document_count()
    for done, row in enumerate(list(rows.find({}, {"_id": 1}))):
        rows.update_one({"_id": row["_id"]}, {"$set": {"marked": True}})
        told(done, total)
'''
GOOD = HEAD
FAILING = (
    HEAD
    + "        if done == total // 2:\n            raise ValueError('row 150 is not what it should be')\n"
)
SLOW = HEAD + (
    "        while done == total // 2 and pathlib.Path({hold!r}).exists():\n"
    "            pathlib.Path({hold!r} + '.reached').touch()\n"
    "            time.sleep(0.05)\n"
)


class Tree:
    """A checkout of newer code; `hold` is a file for which its slow migration waits to go."""

    def __init__(self, folder: Path, migration: str | None) -> None:
        self.home, self.hold = folder, folder / "hold"
        folder.mkdir()
        copied = (HOME / "deploy" / "contents").read_text().splitlines()
        for name in (each for each in copied if not each.startswith("#")):
            (folder / name).parent.mkdir(exist_ok=True)
            if (HOME / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "node_modules")
                shutil.copytree(HOME / name, folder / name, ignore=ignored)
            else:
                shutil.copy(HOME / name, folder / name)
        (folder / ".venv-mongo").symlink_to((HOME / ".venv-mongo").resolve())
        if migration is not None:
            self.add(migration)

    @property
    def is_held(self) -> bool:
        """It has changed half of the rows and waits."""
        return self.hold.with_name("hold.reached").exists()

    def add(self, migration: str, number: int = 2, name: str = "mark_responses") -> None:
        text = migration.replace("{hold!r}", repr(str(self.hold)))
        path = self.home / "appliance" / "stores" / "migrations" / f"m{number:04d}_{name}.py"
        path.write_text(text)


class Case:
    """A data folder, and the ports that its appliance has."""

    def __init__(self, data: Path, **environ: str) -> None:
        self.data, self.paths = data, Paths(data)
        self.environ = {**operator_environ(data), "RATE_LIMIT": "off", "APPLIANCE_CPUS": "1", **environ}
        self.log = data.parent / "up.log"

    @property
    def settings(self) -> Settings:
        return settings.load(self.environ, dotenv=Path("/nonexistent"))

    def begin(self, home: Path = HOME) -> subprocess.Popen[bytes]:
        """`appliance up` of the code that lies there."""
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "appliance", "up"],
                env={**self.environ, "PYTHONPATH": str(home)},
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    @contextlib.contextmanager
    def running(self, home: Path = HOME) -> Iterator[httpx.Client]:
        """It comes up, and is stopped at the end."""
        child = self.begin(home)
        url = f"http://127.0.0.1:{self.settings.http_port}"
        try:
            with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
                until(lambda: self._is_ready(child, client), 60, f"ready\n{self.told}")
                yield client
        finally:
            end(child)

    def _is_ready(self, child: subprocess.Popen[bytes], client: httpx.Client) -> bool:
        assert child.poll() is None, self.told
        with contextlib.suppress(httpx.HTTPError):
            return client.get("/readyz").status_code == 200
        return False

    def refused(self, home: Path = HOME) -> str:
        """What it says when it does not start."""
        child = self.begin(home)
        try:
            assert child.wait(120) == 2, self.told
        finally:
            end(child)
        return self.told

    @property
    def told(self) -> str:
        return self.log.read_text()

    def command(self, *words: str, home: Path = HOME) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "appliance", *words],
            env={**self.environ, "PYTHONPATH": str(home)},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def tallies(self) -> dict[str, Tally]:
        """Of each collection; call while nothing runs."""
        with serving(self) as db:
            return {name: dumps.tally(db, name) for name in dumps.collections(db)}

    def find(self, collection: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        with serving(self) as db:
            return list(db[collection].find(query))


def serving(case: Case) -> contextlib.AbstractContextManager[Database[Any]]:
    """Its database alone."""
    return database_alone.serving(case.settings, appname="test")


def end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(60)
    finally:
        child.kill()
        child.wait()


def fill(case: Case) -> None:
    """An appliance of today's code with responses and a file in it, stopped in order."""
    with case.running() as client:
        password = case.paths.admin_password.read_text().strip()
        login = client.post("/auth/login", json={"username": "admin", "password": password}).json()
        client.headers["authorization"] = f"Bearer {login['token']}"
        definition = {"elements": [{"type": "text", "name": "name"}]}
        body = {"title": "Lunch", "definition": definition, "settings": {"public": True}}
        form = client.post("/api/v1/forms", json=body).json()["form_id"]
        assert client.post(f"/api/v1/forms/{form}/publish").status_code == 200
        lines = "".join(f'{{"data": {{"name": "n{each}"}}}}\n' for each in range(RESPONSES))
        answer = client.post(
            f"/api/v1/forms/{form}/responses/batch",
            content=lines,
            headers={"content-type": "application/x-ndjson"},
        )
        assert answer.text.count('"status":201') == RESPONSES, answer.text[:300]
    (case.paths.files / "ab").mkdir(exist_ok=True)
    (case.paths.files / "ab" / "kept").write_text("a file")


def copy(source: Path, to: Path) -> Path:
    """A data folder once more."""
    subprocess.run(["cp", "-a", "--reflink=auto", source, to], check=True)
    return to
