"""Clients as cheap as they can be: raw HTTP/1.1 over kept connections, several processes of them."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

PROCESSES = 2


class Sent(NamedTuple):
    seconds: list[float]
    """Of each request that was answered 201."""
    others: int
    took: float


def closed_loop(port: int, requests: list[bytes], connections: int, seconds: float) -> Sent:
    """Each connection sends its next request when the one before is answered."""
    workers = min(PROCESSES, connections)
    shares = [connections // workers + (number < connections % workers) for number in range(workers)]
    context = multiprocessing.get_context("spawn")
    started = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        found = list(pool.map(_process, [port] * workers, [requests] * workers, shares, [seconds] * workers))
    took = max((sent.took for sent in found), default=time.monotonic() - started)
    return Sent([one for sent in found for one in sent.seconds], sum(sent.others for sent in found), took)


def _process(port: int, requests: list[bytes], connections: int, seconds: float) -> Sent:
    import uvloop

    return uvloop.run(_connections(port, requests, connections, seconds))


async def _connections(port: int, requests: list[bytes], connections: int, seconds: float) -> Sent:
    started = time.monotonic()
    results = await asyncio.gather(
        *(_one(port, requests[number::connections], started + seconds) for number in range(connections))
    )
    took = time.monotonic() - started
    return Sent([one for ok, _ in results for one in ok], sum(others for _, others in results), took)


async def _one(port: int, requests: list[bytes], until: float) -> tuple[list[float], int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ok, others, number = [], 0, 0
    while (started := time.monotonic()) < until:
        writer.write(requests[number % len(requests)])
        number += 1
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
        if head.startswith(b"HTTP/1.1 201 "):
            ok.append(time.monotonic() - started)
        else:
            others += 1
    writer.close()
    return ok, others
