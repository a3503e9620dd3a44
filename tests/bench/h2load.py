"""Load by h2load, and what the servers spend on it by /proc."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

CONNECTIONS = 32
EVEN_CONNECTIONS = 8
"""At a fixed rate: clients that beat in time would offer it in bursts, so there are few of them."""
_START = 1
"""Seconds at a fixed rate that do not count: connections are made, and their TLS, then."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: a path at a Unix socket, or at an address such as https://127.0.0.1:8443."""

    path: str
    socket: Path | None = None
    base: str = "http://localhost"
    token: str | None = None
    body: bytes | None = None


class Result(msgspec.Struct, kw_only=True):
    """Of one round. Times in milliseconds, CPU in microseconds a request."""

    rate: float
    p50: float
    p95: float
    p99: float
    cpu: float
    failed: int
    statuses: dict[str, int]


def round_of(target: Target, servers: Callable[[], list[int]], seconds: int, *, rate: float = 0) -> Result:
    """As fast as it goes, or `rate` requests a second evenly offered. `servers` are main processes."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        command = _command(target, Path(scratch), log, seconds, rate)
        spent, began = cpu_seconds(servers()), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took, spent = time.monotonic() - began, cpu_seconds(servers()) - spent
        if not log.exists():
            raise SystemExit(f"h2load failed:\n{done.stdout}{done.stderr}")
        lines = [line.split("\t") for line in log.read_text().splitlines()]
    result = _result(lines, took, spent)
    if rate:
        began_at = min(int(line[0]) for line in lines)
        steady = [line for line in lines if int(line[0]) >= began_at + _START * 1_000_000]
        result = msgspec.structs.replace(_result(steady, took - _START, spent), cpu=result.cpu)
    return result


def _command(target: Target, scratch: Path, log: Path, seconds: int, rate: float) -> list[str]:
    # HTTP/1.1 everywhere, as nginx speaks it to what is behind it.
    clients, duration = (EVEN_CONNECTIONS, seconds + _START) if rate else (CONNECTIONS, seconds)
    command = [_h2load(), "--h1", f"--clients={clients}", f"--duration={duration}", f"--log-file={log}"]
    if rate:
        command += [f"--rps={rate / clients}"]
    if target.socket:
        command += [f"--base-uri=unix:{target.socket}"]
    if target.token:
        command += [f"--header=authorization: Bearer {target.token}"]
    if target.body is not None:
        (scratch / "body").write_bytes(target.body)
        command += [f"--data={scratch / 'body'}", "--header=content-type: application/json"]
    return [*command, target.base + target.path]


def _h2load() -> str:
    found = shutil.which("h2load")
    if found is None:
        raise SystemExit("h2load is missing. As root: apt-get install nghttp2-client")
    return found


def _result(lines: list[list[str]], took: float, spent: float) -> Result:
    times = sorted(int(line[2]) / 1000 for line in lines)
    if len(times) < CONNECTIONS:
        raise SystemExit(f"Only {len(times)} requests were answered.")
    statuses = Counter(line[1] for line in lines)
    good = sum(count for status, count in statuses.items() if status.startswith("2"))
    cuts = statistics.quantiles(times, n=100)
    return Result(
        rate=good / took,
        p50=cuts[49],
        p95=cuts[94],
        p99=cuts[98],
        cpu=spent * 1e6 / len(times),
        failed=len(times) - good,
        statuses=dict(statuses),
    )


def median(rounds: list[Result]) -> Result:
    """Of each figure by itself; failures are summed."""

    def middle(name: str) -> float:
        return float(statistics.median(getattr(each, name) for each in rounds))

    figures = {name: middle(name) for name in ("rate", "p50", "p95", "p99", "cpu")}
    statuses: Counter[str] = Counter()
    for each in rounds:
        statuses.update(each.statuses)
    return Result(**figures, failed=sum(each.failed for each in rounds), statuses=dict(statuses))


def cpu_seconds(mains: list[int]) -> float:
    """User and system time of the processes and of all below them that live."""
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            spent[int(entry.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    return sum(seconds for pid, seconds in spent.items() if _is_below(pid, set(mains), parents))


def _is_below(pid: int, mains: set[int], parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid in mains:
            return True
        pid = parents.get(pid, 0)
    return False


def machine() -> dict[str, str | float]:
    """The line that figures are worth nothing without."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    names = {line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")}
    return {
        "cpu": ", ".join(sorted(names)) or "unknown",
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
