"""`scripts/bench ai-load`: what submits feel of a model at work.

Answers of 1 KB are offered at an even rate, whether the ones before are answered or not, in turn while
worker-ai has nothing to do and while it reads responses and writes answers without end. What keeps them apart
is said: the controls of the kernel that are in force, the cores and niceness of worker-ai and of the API.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from appliance import plan
from appliance.stores import programs
from tests import models
from tests.bench import h2load, report
from tests.bench.h2load import Target
from tests.bench.sides import SUBMISSION, House
from tests.faults.steering import api_names
from tests.running import Running, running
from tests.runtime.servers import until

RATE = 50
RATIO = 1.5
_STORY = "Write a long story about a dragon who opens a bakery."


@contextmanager
def at_full_load(house: House) -> Iterator[None]:
    """Two who ask for long answers again and again: one is always waiting when the other is done."""
    over = threading.Event()

    def ask() -> None:
        with house.appliance.client(house.token) as client:
            while not over.is_set():
                body = {"messages": [{"role": "user", "content": _STORY}], "max_tokens": 60}
                try:
                    client.post("/v1/chat/completions", json=body, timeout=120)
                except httpx.HTTPError as fault:
                    if not over.is_set():
                        print(f"a chat: {fault!r}", file=sys.stderr)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: _batched(house.client)["running"], 60, "the model works")
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
        until(lambda: not _batched(house.client)["running"], 60, "the model is idle")


def _batched(client: httpx.Client) -> dict[str, Any]:
    rows = client.get("/api/v1/queues").raise_for_status().json()["queues"]
    return next(dict(row) for row in rows if row["name"] == "batched")


def measure(rounds: int, seconds: int, rate: float) -> dict[str, Any]:
    machine = report.machine()
    found: dict[str, list[h2load.Result]] = {"idle": [], "at full load": []}
    cpu: dict[str, list[float]] = {name: [] for name in found}
    with running() as appliance:
        models.until_at_work(appliance)
        house = House(appliance)
        front = f"https://127.0.0.1:{appliance.settings.https_port}"
        path = f"/api/v1/forms/{house.form_id}/responses"
        target = Target(path, base=front, token=house.token, body=SUBMISSION)
        h2load.round_of(target, list, 2, rate=rate)  # warm
        with at_full_load(house):
            pass  # the model is loaded
        for turn in range(rounds):
            for name, results in found.items():
                before = report.cpu_seconds([appliance.pid("worker-ai")])
                if name == "idle":
                    results.append(h2load.round_of(target, list, seconds, rate=rate))
                else:
                    with at_full_load(house):
                        results.append(h2load.round_of(target, list, seconds, rate=rate))
                cpu[name].append((report.cpu_seconds([appliance.pid("worker-ai")]) - before) / seconds)
                print(f"round {turn + 1}: {name}: p95 {results[-1].p95:.1f} ms", file=sys.stderr)
        notes = _isolation(appliance)
        house.client.close()
    return _result(machine, notes, found, cpu, rate)


def _isolation(appliance: Running) -> dict[str, str]:
    found = plan.find(appliance.paths)
    assert found
    told = {"in force": f"cgroups {found.backend}: {', '.join(found.folders) or 'none'}"}
    for control, reason in found.degraded.items():
        told[f"not in force: {control}"] = reason
    for name in ("worker-ai", api_names(appliance)[0], "mongo"):
        part = programs.given(found, name, appliance.pid(name))
        told[name] = str(part)
    return told


def _result(
    machine: dict[str, Any],
    notes: dict[str, str],
    found: dict[str, list[h2load.Result]],
    cpu: dict[str, list[float]],
    rate: float,
) -> dict[str, Any]:
    middle = {name: h2load.median(results) for name, results in found.items()}
    rows = [
        {
            "worker-ai": name,
            "answered/s": round(each.rate, 1),
            "p50 ms": round(each.p50, 2),
            "p95 ms": round(each.p95, 2),
            "p99 ms": round(each.p99, 2),
            "failed": each.failed,
            "CPUs of worker-ai": round(statistics.median(cpu[name]), 2),
        }
        for name, each in middle.items()
    ]
    ratio = round(middle["at full load"].p95 / middle["idle"].p95, 2)
    failed = sum(each.failed for each in middle.values())
    return {
        "machine": machine,
        "notes": notes,
        "rows": rows,
        "aims": [
            {
                "aim": f"p95 of {rate:g} submits a second at full load, times that while idle: ≤ {RATIO}",
                "measured": ratio,
                "pass": ratio <= RATIO,
            },
            {"aim": "none failed", "measured": failed, "pass": failed == 0},
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench ai-load", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each kind, alternating")
    parser.add_argument("--seconds", type=int, default=20, help="of each round")
    parser.add_argument("--rate", type=float, default=RATE, help="submits a second")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    asked = parser.parse_args()
    models.until_built()
    result = measure(asked.rounds, asked.seconds, asked.rate)
    report.show(result, asked.json)
    return 0 if all(aim["pass"] for aim in result["aims"]) else 1


if __name__ == "__main__":
    sys.exit(main())
