"""The flows' own four targets, under mixed load through nginx and TLS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx

from tests.bench import h2load
from tests.bench.h2load import Target
from tests.bench.sides import SUBMISSION, House

_SECONDS = 8
_READS, _SUBMITS = 100, 50
"""Offered beside the probes, a second."""


def judge(house: House) -> list[tuple[str, str, bool]]:
    """(target, measured, passed)."""
    front = f"https://127.0.0.1:{house.appliance.settings.https_port}"
    path = f"/api/v1/forms/{house.form_id}"
    reads = Target(path, base=front, token=house.token)
    submits = Target(f"{path}/responses", base=front, token=house.token, body=SUBMISSION)
    loads: list[h2load.Result] = []
    threads = [
        threading.Thread(
            target=lambda target=target, rate=rate: loads.append(
                h2load.round_of(target, list, _SECONDS, rate=rate)
            )
        )
        for target, rate in ((reads, _READS), (submits, _SUBMITS))
    ]
    for thread in threads:
        thread.start()
    hits, misses, queries = _probe(house, front)
    for thread in threads:
        thread.join()
    slowest = max(each.p95 for each in loads)
    return [
        _row("cache hit, p95 below 50 ms", _p95(hits), 50),
        _row("cache miss, p95 below 200 ms", _p95(misses), 200),
        _row("database query, p95 below 100 ms", _p95(queries), 100),
        _row("reads and submits of the load, p95 below 500 ms", slowest, 500),
    ]


def _probe(house: House, front: str) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of hits, of first reads after a change, and of filtered lists, which nothing caches."""
    hits: list[float] = []
    misses: list[float] = []
    queries: list[float] = []
    probed = house.form(public=False)
    path = f"/api/v1/forms/{probed}"
    headers = {"authorization": f"Bearer {house.token}"}
    certificate = str(house.appliance.paths.certificate)
    deadline, number = time.monotonic() + _SECONDS - 1, 0
    with httpx.Client(base_url=front, headers=headers, verify=certificate, trust_env=False) as client:
        while time.monotonic() < deadline:
            number += 1
            client.patch(path, json={"title": f"Bench {number}"}).raise_for_status()
            _timed(lambda: client.get(path), "MISS", misses)
            _timed(lambda: client.get(path), "HIT", hits)
            listed = f"/api/v1/forms/{house.form_id}/responses?filter.name=nobody{number}&limit=50"
            _timed(lambda listed=listed: client.get(listed), None, queries)  # type: ignore[misc]
            time.sleep(0.02)
    return hits, misses, queries


def _timed(ask: Callable[[], httpx.Response], cache: str | None, times: list[float]) -> None:
    """Kept when the answer came from where it should."""
    began = time.perf_counter()
    answer = ask()
    took = (time.perf_counter() - began) * 1000
    answer.raise_for_status()
    if cache in (None, answer.headers.get("x-cache")):
        times.append(took)


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)] if len(times) >= 20 else float("inf")


def _row(target: str, measured: float, limit: float) -> tuple[str, str, bool]:
    return target, f"{measured:.1f} ms", measured < limit
