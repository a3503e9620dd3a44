"""`scripts/faults backup`: what is backed up under load comes back on an empty folder, byte by byte.

Responses are written straight into the store, those with files by the API. While answers come in at a steady
rate, a backup is made and tried out as the scheduler has it done. Then the appliance is stopped, the backup
is restored into an empty folder, and each response and file there is compared with what the first one has;
what was acknowledged before the backup was begun must be among them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import bson
import httpx

from appliance.addresses import Paths
from appliance.backups import book
from appliance.clock import utc_now
from appliance.ops import backup_child
from appliance.settings import HOME
from appliance.stores.dumps import RAW
from tests.api.forms import publish, submit
from tests.api.uploads import PNG, answer_with, form_with_files, uploaded
from tests.bench import report
from tests.bench.analytics_extract import Filled
from tests.running import Running, running
from tests.runtime.servers import temporary_data, until

FILE_BYTES = 200_000
QUIET_SECONDS = 20.0

Json = dict[str, Any]


class Kept(NamedTuple):
    """What an appliance has, each by its hash."""

    responses: dict[str, bytes]
    files: dict[str, bytes]


class Load:
    """Answers at a steady rate, and how long each took from the moment that it was due."""

    def __init__(self, client: httpx.Client, form_id: str, rate: float) -> None:
        self._client, self._form_id, self._rate = client, form_id, rate
        self.acknowledged: list[str] = []
        self._seconds: list[float] = []

    @contextlib.contextmanager
    def __call__(self, told: Json, name: str) -> Iterator[None]:
        """While the body runs; `told[name]` then has the milliseconds."""
        over, self._seconds = threading.Event(), []
        thread = threading.Thread(target=self._work, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        told[name] = {"answers": len(self._seconds), **report.milliseconds(self._seconds)}

    def _work(self, over: threading.Event) -> None:
        due = time.monotonic()
        while not over.is_set():
            answer = submit(self._client, self._form_id, words="while a backup is made")
            self.acknowledged.append(answer.json()["response_id"])
            self._seconds.append(time.monotonic() - due)
            due += 1 / self._rate
            over.wait(max(0.0, due - time.monotonic()))


def measure(responses: int, files: int, rate: float, folder: Path) -> Json:
    told: Json = {"machine": report.machine(), "responses": responses, "files": files, "rate": rate}
    with running(BACKUP_FOLDER=str(folder)) as appliance:
        with appliance.client(appliance.login()) as client:
            told["filled_seconds"] = round(_fill(appliance, client, responses, files), 1)
            load = Load(client, publish(client), rate)
            with load(told, "submits_quiet_ms"):
                threading.Event().wait(QUIET_SECONDS)
            before = set(load.acknowledged)
            with load(told, "submits_during_backup_ms"):
                _scheduled(appliance, "backup")
            told["backup_process_mb"] = _largest()
            with load(told, "submits_during_drill_ms"):
                _scheduled(appliance, "drill")
            told["drill_process_mb"] = _largest()
            first = _kept(appliance)
        noted = book.read(appliance.paths.backups)
        key = folder / "key"
        shutil.copyfile(appliance.paths.backup_key, key)
    told |= {"bytes": noted.backup.bytes, "in_backup": noted.backup.responses}
    told |= {"backup_seconds": noted.backup.seconds, "drill_seconds": noted.drill.seconds}
    with temporary_data() as data:
        data.parent.mkdir(parents=True, exist_ok=True)
        second, begun = Running(data), time.monotonic()
        restore = ["backup", "restore", str(noted.backup.archive), "--key", str(key)]
        _python(second, "appliance", *restore)
        told["restore_seconds"] = round(time.monotonic() - begun, 1)
        second.start()
        try:
            found = _kept(second)
        finally:
            second.stop()
    return told | _compared(first, found, before, responses + files, files)


def _compared(first: Kept, found: Kept, before: set[str], least: int, files: int) -> Json:
    different = sum(first.responses.get(each) != digest for each, digest in found.responses.items())
    return {
        "restored_responses": len(found.responses),
        "restored_files": len(found.files),
        "lost": len(before - found.responses.keys()) + max(0, least - len(found.responses)),
        "different": different + sum(first.files.get(each) != digest for each, digest in found.files.items()),
        "lost_files": files - len(found.files),
    }


def _fill(appliance: Running, client: httpx.Client, responses: int, files: int) -> float:
    begun = time.monotonic()
    length = dt.timedelta(days=30)
    Filled(appliance, client).add(responses, utc_now() - length, length)
    form_id = form_with_files(client)
    for _ in range(files):
        photo = uploaded(client, form_id, content=PNG + os.urandom(FILE_BYTES))
        assert answer_with(client, form_id, photos=[photo]).status_code == 201
    return time.monotonic() - begun


def _scheduled(appliance: Running, kind: str) -> None:
    """As the scheduler starts it."""
    _python(appliance, backup_child.__name__, kind, str(os.getpid()))


def _largest() -> int:
    """MB that the largest process of those that have ended had, our children's children too."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000


def _python(appliance: Running, module: str, *words: str) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **appliance.environ}
    call = [sys.executable, "-P", "-m", module, *words]
    ended = subprocess.run(call, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _kept(appliance: Running) -> Kept:
    until(appliance.is_ready, 60, "it answers")
    responses: dict[str, bytes] = {}
    with appliance.database() as client:
        batches: Any = client.get_default_database("appliance").responses.find_raw_batches({}, batch_size=500)
        for batch in batches:
            for row in bson.decode_all(batch, RAW):
                responses[row["_id"]] = hashlib.sha256(row.raw).digest()
    return Kept(responses, _files(Paths(appliance.settings.data).files))


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: hashlib.sha256(path.read_bytes()).digest() for path in folder.glob("??/*")}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/faults backup", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--responses", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rate", type=float, default=20.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="appliance-backup-") as folder:
        told = measure(chosen.responses, chosen.files, chosen.rate, Path(folder))
    print(json.dumps(told, indent=2))
    return 1 if told["lost"] or told["different"] or told["lost_files"] else 0


if __name__ == "__main__":
    sys.exit(main())
