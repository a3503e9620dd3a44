"""A pool whose children die as they start, or hang, the first of two; each leaves when it began."""

from __future__ import annotations

import os
import signal
import sys
import time

from redis import Redis

from appliance import logs
from appliance.queue.engine import LeasedStorage, open_queue
from appliance.queue.pool import Pool
from appliance.queue.pulse import Pulse


def main(socket: str, size: str, lease: str, what: str) -> None:
    logs.configure("info")
    pulses = {1: Pulse(), 2: Pulse()}

    def open_storage() -> LeasedStorage:
        return open_queue(Redis(unix_socket_path=socket), lease=float(lease)).storage

    def work(name: str) -> None:
        Redis(unix_socket_path=socket, db=1).rpush("started", f"{time.monotonic()} {os.getpid()}")
        if what == "dies":
            raise RuntimeError("it cannot even begin")
        slot = int(name.partition(":")[0].rpartition("-")[2])
        pulses[slot].promise(0.2 if slot == 1 else 3600)  # the second loads something large
        signal.pause()

    Pool(f"short-{os.getpid()}", int(size), work, open_storage, pulses=pulses).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
