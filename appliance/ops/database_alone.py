"""The embedded database of a data folder, started for one command, for nobody else to reach."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pymongo
from pymongo.database import Database

from appliance import addresses, processes
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import folders, mongo
from appliance.settings import Settings


@contextlib.contextmanager
def serving(
    chosen: Settings,
    *,
    appname: str,
    cache: int | None = None,
    besides: int | None = None,
    is_kept: bool = True,
) -> Iterator[Database[Any]]:
    """Stopped in order at the end, so that all is on disk, when it is kept. It dies with this process.

    `cache`: bytes; `besides`: a port that is not ours. Raises CannotStart.
    """
    paths = Paths(chosen.data)
    folders.create_secrets(paths, chosen)  # those that are missing, as in a backup
    port = mongo.ensure_port(paths, besides=besides)
    parent, command = os.getpid(), mongo.prepare(paths, chosen, cache=cache)
    child = subprocess.Popen(command, preexec_fn=lambda: processes.die_with_parent(signal.SIGKILL, parent))
    try:
        mongo.await_port(port, child)
        uri = addresses.mongodb_uri(chosen)
        with pymongo.MongoClient[dict[str, Any]](
            uri, appname=appname, timeoutMS=60_000, tz_aware=True
        ) as client:
            yield client.get_default_database(addresses.DATABASE)
        if not is_kept:
            return  # ended at once, and spares the disk its last checkpoint
        child.terminate()
        try:
            status = child.wait(mongo.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            seconds = f"{mongo.STOP_SECONDS:.0f} s"
            raise CannotStart(f"the database did not stop within {seconds}") from None
        if status:
            raise CannotStart(f"the database ended with status {status}")
    finally:
        child.kill()
        child.wait()
