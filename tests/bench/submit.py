"""Submitting answers of 1 KB: the group commit through every layer against bare inserts, one by one."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymongo

from appliance import addresses
from appliance.clock import new_id, utc_now
from tests.bench import fill, load, report
from tests.faults.steering import api_names
from tests.running import Running, running

CLIENTS = (1, 8, 32)
ROUNDS = 3
SECONDS = 6.0
RATIO = 3.5
P95_MS = 100.0
DEFAULT = "insert_one, j=true, as pymongo does"
"""With retryWrites, the driver's default, which costs the embedded server milliseconds a write."""
_WORDS = 140
"""Makes a body of 1 KB."""


def run(seconds: float = SECONDS) -> dict[str, Any]:
    about = report.machine()
    with running() as appliance, appliance.client(appliance.login()) as client:
        form_id = fill.publish(client)
        bodies = [_body(random.Random(number)) for number in range(200)]
        requests = [_request(appliance, form_id, body) for body in bodies]
        load.closed_loop(appliance.settings.http_port, requests, 8, 2.0)  # warm up
        rows = []
        for clients in CLIENTS:
            rows += _round(appliance, requests, bodies, clients, seconds)
        aims = _judge(rows)
    notes = {"body": f"{len(bodies[0])} bytes", "rounds": f"{ROUNDS} of {seconds:g} s each, alternating"}
    return {"machine": about, "notes": notes, "rows": rows, "aims": aims}


def _body(chance: random.Random) -> bytes:
    return json.dumps({"data": fill.answers(chance, words=_WORDS)}).encode()


def _request(appliance: Running, form_id: str, body: bytes) -> bytes:
    head = (
        f"POST /api/v1/forms/{form_id}/responses HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{appliance.settings.http_port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _round(
    appliance: Running, requests: list[bytes], bodies: list[bytes], clients: int, seconds: float
) -> list[dict[str, Any]]:
    through: list[load.Sent] = []
    bare: dict[bool, list[load.Sent]] = {True: [], False: []}
    pids = [appliance.pid(name) for name in api_names(appliance)]
    cpu = 0.0
    for _ in range(ROUNDS):
        before = report.cpu_seconds(pids)
        through.append(load.closed_loop(appliance.settings.http_port, requests, clients, seconds))
        cpu += report.cpu_seconds(pids) - before
        for retrying, rounds in bare.items():
            rounds.append(_insert_one_by_one(appliance, bodies, clients, seconds, retrying=retrying))
    done = sum(len(sent.seconds) for sent in through)
    assert sum(sent.others for sent in through) == 0, "not all were answered 201"
    ours = {"what": "submit over HTTP", "clients": clients, **_figures(through)}
    peers = [
        {"what": what, "clients": clients, **_figures(bare[retrying])}
        for what, retrying in ((DEFAULT, True), ("insert_one, j=true, no retryWrites", False))
    ]
    return [ours | {"api_cpu_us": round(cpu / done * 1e6)}, *peers]


def _figures(rounds: list[load.Sent]) -> dict[str, Any]:
    times = [one for sent in rounds for one in sent.seconds]
    rates = sorted(len(sent.seconds) / sent.took for sent in rounds)
    return {"per_second": round(rates[len(rates) // 2]), **report.milliseconds(times)}


def _insert_one_by_one(
    appliance: Running, bodies: list[bytes], clients: int, seconds: float, *, retrying: bool
) -> load.Sent:
    """The database's own rate for such rows, without HTTP, rules, numbers, places and outbox."""
    documents = [json.loads(body)["data"] for body in bodies]
    uri = addresses.mongodb_uri(appliance.settings)
    with pymongo.MongoClient[dict[str, Any]](uri, retryWrites=retrying, tz_aware=True) as client:
        rows = client.get_default_database("appliance").get_collection(
            "bench_rows", write_concern=pymongo.WriteConcern(j=True)
        )
        started = time.monotonic()

        def one(number: int) -> list[float]:
            found = []
            while (begun := time.monotonic()) < started + seconds:
                row = {"_id": new_id(), "data": documents[number % len(documents)], "created_at": utc_now()}
                rows.insert_one(row)
                number += 1
                found.append(time.monotonic() - begun)
            return found

        with ThreadPoolExecutor(clients) as pool:
            times = [one for share in pool.map(one, range(clients)) for one in share]
        return load.Sent(times, 0, time.monotonic() - started)


def _judge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    through, bare, _ = rows[-3:]
    ratio = through["per_second"] / bare["per_second"]
    return [
        {
            "aim": f"{CLIENTS[-1]} clients: ≥ {RATIO}× the rate of: {DEFAULT}",
            "measured": f"{ratio:.2f}×",
            "pass": ratio >= RATIO,
        },
        {
            "aim": f"{CLIENTS[-1]} clients: p95 < {P95_MS:g} ms",
            "measured": f"{through['p95']} ms",
            "pass": through["p95"] < P95_MS,
        },
    ]
