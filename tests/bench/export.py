"""Exports of many responses, as tasks of a real appliance, beside just reading and decoding the same rows."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import httpx

from tests.api import exports
from tests.api.tasks import until_status
from tests.bench import report, wide
from tests.running import Running, running

ROWS = 348_000
FORMATS = ("csv", "parquet", "xlsx", "ndjson")
ROUNDS = 3
SHARE = 0.8
"""Of the rate at which the driver reads and decodes the rows."""
MEGABYTES = 100.0
"""That a worker may take beyond what it had before."""
_WINDOW = 1_000
_LONGEST = 600.0


def run(rows: int = ROWS, rounds: int = ROUNDS) -> dict[str, Any]:
    with running() as appliance, appliance.client(appliance.login()) as client:
        about = report.machine()
        form_id = wide.publish(client)
        filled = wide.fill(appliance, form_id, rows)
        pids = _children(appliance.pid("worker-default"))
        decoded: list[float] = []
        own: list[float] = []
        made: dict[str, list[dict[str, Any]]] = {kind: [] for kind in FORMATS}
        for _ in range(rounds):
            for kind in FORMATS:
                cpu = time.process_time()
                decoded.append(rows / _decode(appliance, form_id, rows))
                own.append((time.process_time() - cpu) / rows * 1e6)
                made[kind].append(_export(client, form_id, kind, rows, pids))
    notes = {
        "filled": f"{rows:,} responses of {wide.QUESTIONS} questions in {filled:.0f} s",
        "rounds": rounds,
    }
    bare = report.quantile(decoded, 0.5)
    nothing = dict.fromkeys(("most MB more", "file MB"), "")
    cpu_us = round(report.quantile(own, 0.5))
    told: list[dict[str, Any]] = [
        {"what": "read and decoded by pymongo", "rows/s": round(bare), "of decoding": 1, "cpu us/row": cpu_us}
        | nothing
    ]
    told += [_row(kind, runs, bare) for kind, runs in made.items()]
    return {"machine": about, "notes": notes, "rows": told, "aims": _judge(told[1:])}


def _decode(appliance: Running, form_id: str, rows: int) -> float:
    """Seconds, in windows that suit the server best."""
    started, found = time.monotonic(), 0
    with appliance.database() as client:
        responses = client.get_default_database("appliance").responses
        for low in range(1, rows + 1, _WINDOW):
            query = {"form_id": form_id, "seq": {"$gte": low, "$lt": low + _WINDOW}}
            found += len(responses.find(query, batch_size=_WINDOW + 1).to_list())
    assert found == rows
    return time.monotonic() - started


def _export(client: httpx.Client, form_id: str, kind: str, rows: int, pids: list[int]) -> dict[str, Any]:
    before = {pid: _memory(pid, "VmRSS") for pid in pids}
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # its peak begins anew
    cpu = report.cpu_seconds(pids)
    export_id = exports.start(client, form_id, format=kind)
    task = until_status(client, export_id, "completed", "failed", seconds=_LONGEST)
    assert task["status"] == "completed" and task["result"]["rows"] == rows, task
    grown = max(_memory(pid, "VmHWM") - before[pid] for pid in pids)
    return {
        "rate": rows / task["execution_time"],
        "cpu_us": (report.cpu_seconds(pids) - cpu) / rows * 1e6,
        "grown": grown,
        "bytes": task["result"]["bytes"],
    }


def _memory(pid: int, name: str) -> float:
    """Megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += map(int, (task / "children").read_text().split())
    return found


def _row(kind: str, runs: list[dict[str, Any]], bare: float) -> dict[str, Any]:
    rate = report.quantile([run["rate"] for run in runs], 0.5)
    return {
        "what": kind,
        "rows/s": round(rate),
        "of decoding": round(rate / bare, 2),
        "cpu us/row": round(report.quantile([run["cpu_us"] for run in runs], 0.5)),
        "most MB more": round(max(run["grown"] for run in runs)),
        "file MB": round(runs[0]["bytes"] / 1e6, 1),
    }


def _judge(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    aims = []
    for row in told:
        share, grown = row["of decoding"], row["most MB more"]
        aims.append(
            {"aim": f"{row['what']}: ≥ {SHARE}× of decoding", "measured": f"{share}×", "pass": share >= SHARE}
        )
        aims.append(
            {
                "aim": f"{row['what']}: at most {MEGABYTES:g} MB more",
                "measured": f"{grown} MB",
                "pass": grown <= MEGABYTES,
            }
        )
    return aims
