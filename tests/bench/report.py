"""What a run says: the machine, percentiles, and rows for people or as JSON."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """The machine's own line: figures of another one are not comparable."""
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": _cpu_name(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def quantile(values: Sequence[float], share: float) -> float:
    """Nearest rank: a value that was really measured."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{share}": round(quantile(seconds, share / 100) * 1000, 2) for share in (50, 95, 99)}


def cpu_seconds(pids: Sequence[int]) -> float:
    """Of these processes and their children that still live (user and system)."""
    ticks = 0
    for pid in pids:
        for folder in Path(f"/proc/{pid}/task").iterdir():
            for child in (folder / "children").read_text().split():
                ticks += int(cpu_seconds([int(child)]) * os.sysconf("SC_CLK_TCK"))
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, indent=2))
        return
    print("  ".join(f"{name} {value}" for name, value in result["machine"].items()))
    for name, value in result.get("notes", {}).items():
        print(f"{name}: {value}")
    rows = result["rows"]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(names))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for aim in result["aims"]:
        print(f"{'pass' if aim['pass'] else 'FAIL'}  {aim['aim']}: {aim['measured']}")
