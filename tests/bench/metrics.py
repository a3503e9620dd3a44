"""`scripts/bench metrics`: what counting costs a request, what everything takes while idle, and that series
do not grow with addresses, forms and restarts.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from appliance import addresses, processes, trees
from appliance.api.edge import ROUTE, Edge
from appliance.metrics import counts
from appliance.ops import supervisor
from appliance.runtime import monitoring
from tests.bench import report
from tests.bench.plain_edge import PlainEdge
from tests.running import Running, running
from tests.runtime.servers import free_ports, until

URLS, FORMS, RESTARTS = 10_000, 10_000, 1_000
_IDLE = 20.0
"""Seconds after the start."""
_SCRAPES = 40.0
"""Seconds of which there are two scrapes and more."""
_REQUESTS, _ROUNDS = 20_000, 7
_MOST_US = 10.0
_MOST_MONITORING, _MOST_ALL = 256.0, 700.0
_WORKERS = ("worker-high", "worker-default")


def run() -> dict[str, Any]:
    about, rows, aims = report.machine(), _cost(), list[dict[str, Any]]()
    more = rows[0]["CPU µs"] - rows[1]["CPU µs"]
    aims.append(_aim(f"counting ≤ {_MOST_US:g} µs of CPU a request", f"{more:.2f} µs", more <= _MOST_US))
    base = str(free_ports(len(addresses.INNER_PORTS)))
    with running(APPLIANCE_MONITORING="on", APPLIANCE_PORT_BASE=base) as appliance:
        idle = _idle(appliance)
        rows += [{"what": f"{name}, idle: PSS", "MiB": round(size, 1)} for name, size in idle.items()]
        watching = sum(idle[name] for name in monitoring.PROGRAMS)
        aims.append(
            _aim(f"monitoring ≤ {_MOST_MONITORING:g} MiB", f"{watching:.0f}", watching <= _MOST_MONITORING)
        )
        together = sum(idle.values())
        aims.append(_aim(f"all idle ≤ {_MOST_ALL:g} MiB", f"{together:.0f}", together <= _MOST_ALL))
        told = _series(appliance)
        rows += [{"what": name, "number": value} for name, value in told.items()]
        first, last = told["series at first"], told["series at last"]
        aims.append(_aim("series at last as at first", f"{first} and {last}", first == last))
    return {"machine": about, "rows": rows, "aims": aims}


def _aim(aim: str, measured: str, passed: bool) -> dict[str, Any]:
    return {"aim": aim, "measured": measured, "pass": passed}


# -- the cost of a request


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    scope[ROUTE] = "/api/v1/forms/{form_id}"  # type: ignore[literal-required]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _cost() -> list[dict[str, Any]]:
    """CPU of the layer around each request, with counting and without, in turn; the median of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        counts.keep_in(Path(folder), "bench")
        sides: dict[str, ASGIApp] = {
            "the outermost layer, counting": Edge(_answer),
            "the same without": PlainEdge(_answer),
        }
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(_ROUNDS):
            for name, app in sides.items():
                taken[name].append(asyncio.run(_ask(app)))
    return [{"what": name, "CPU µs": round(sorted(times)[_ROUNDS // 2], 2)} for name, times in taken.items()]


async def _ask(app: ASGIApp) -> float:
    async def receive() -> Any:
        raise AssertionError("nobody reads")

    async def send(message: Message) -> None: ...

    started = time.process_time()
    for _ in range(_REQUESTS):
        scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"a")]}
        await app(scope, receive, send)
    return (time.process_time() - started) / _REQUESTS * 1e6


# -- memory


def _idle(appliance: Running) -> dict[str, float]:
    """By program, with all its processes; the last is supervisord with what starts it."""
    time.sleep(_IDLE)
    assert appliance._child is not None
    found = {program.name: program.pid for program in supervisor.ask(appliance.paths) if program.pid}
    sizes = {name: trees.proportional(trees.members(pid)) / 2**20 for name, pid in found.items()}
    together = trees.proportional(trees.members(appliance._child.pid)) / 2**20
    return {**sizes, "supervisord and `appliance up`": together - sum(sizes.values())}


# -- series


def _series(appliance: Running) -> dict[str, int]:
    with appliance.client(appliance.login()) as client:
        _ask_urls(appliance, client, 20)
        _make_forms(client, 2)
        _kill_workers(appliance, 10)
        until(lambda: _all_are_back(appliance), 30, "the workers are back")
        time.sleep(_SCRAPES)
        first, stored = _count(appliance), _stored(appliance)
        started = time.monotonic()
        _ask_urls(appliance, client, URLS)
        _make_forms(client, FORMS)
        asked = time.monotonic()
        killed = _kill_workers(appliance, RESTARTS)
        until(lambda: _all_are_back(appliance), 30, "the workers are back")
        ended = time.monotonic()
        time.sleep(_SCRAPES)
        return {
            "series at first": first,
            "series at last": _count(appliance),
            "in Prometheus, all targets, at first": stored,
            "in Prometheus, all targets, at last": _stored(appliance),
            "files of counts": len(list(appliance.paths.counts.iterdir())),
            "addresses asked": URLS,
            "forms made": FORMS,
            "workers killed": killed,
            "seconds for addresses and forms": round(asked - started),
            "seconds for kills": round(ended - asked),
        }


def _count(appliance: Running) -> int:
    """Series that the application tells."""
    text = httpx.get(
        f"http://127.0.0.1:{addresses.metrics_port(appliance.settings)}/metrics", trust_env=False
    ).text
    return sum(1 for line in text.splitlines() if not line.startswith("#"))


def _stored(appliance: Running) -> int:
    port = addresses.inner_port(appliance.settings, "prometheus")
    asked = {"query": "prometheus_tsdb_head_series"}
    answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params=asked, trust_env=False).json()
    rows = answer["data"]["result"]
    return int(rows[0]["value"][1]) if rows else 0


def _ask_urls(appliance: Running, client: httpx.Client, number: int) -> None:
    """Distinct ones: of no route, of forms that there are not, of pages."""
    headers = {"authorization": client.headers["authorization"]}
    connection = http.client.HTTPConnection("127.0.0.1", appliance.settings.http_port, timeout=30)
    paths: list[Callable[[str], str]] = [
        lambda name: f"/api/v1/{name}",
        lambda name: f"/api/v1/forms/{name}/responses/{name}",
        lambda name: f"/f/{name}",
        lambda name: f"/api/v1/forms/{name}?{name}={name}",
    ]
    for turn in range(number):
        connection.request("GET", paths[turn % len(paths)](secrets.token_hex(8)), headers=headers)
        connection.getresponse().read()
    connection.close()


def _make_forms(client: httpx.Client, number: int) -> None:
    definition = {"elements": [{"type": "text", "name": "name"}]}
    for turn in range(number):
        made = client.post("/api/v1/forms", json={"title": f"Form {turn}", "definition": definition})
        client.get(f"/api/v1/forms/{made.raise_for_status().json()['form_id']}").raise_for_status()


def _kill_workers(appliance: Running, number: int) -> int:
    """Children of the pools, each once it has lived for a second: then it is replaced at once."""
    killed, since = 0, dict[int, float]()
    pools = [appliance.pid(name) for name in _WORKERS]
    while killed < number:
        now = time.monotonic()
        for pid in [child for pool in pools for child in processes.children(pool)]:
            if now - since.setdefault(pid, now) > 1.0 and killed < number:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                del since[pid]
        time.sleep(0.05)
    return killed


def _all_are_back(appliance: Running) -> bool:
    return all(len(processes.children(appliance.pid(name))) >= 3 for name in _WORKERS)
