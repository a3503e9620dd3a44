"""What the files of a cgroup say, of either version: its limits and what it has used.

None stands for 'not limited' or 'not known here'. Formats: Documentation/admin-guide/cgroup-v2.rst and
cgroup-v1/memory.rst, scheduler/sched-bwc.rst in the kernel's sources.
"""

from __future__ import annotations

from pathlib import Path

_UNLIMITED = 2**60
"""Version 1 says 'no limit' by a number near 2**63."""


def find_quota(folder: Path) -> float | None:
    """CPUs that it may use at the most."""
    words = _read(folder / "cpu.max").split() or _words(folder, "cpu.cfs_quota_us", "cpu.cfs_period_us")
    return int(words[0]) / int(words[1]) if len(words) == 2 and words[0].isdigit() else None


def find_weight(folder: Path) -> float | None:
    """In CPUs, as the plan counts them: what it gets beside others when there is not enough."""
    if text := _read(folder / "cpu.weight"):
        return int(text) / 100
    text = _read(folder / "cpu.shares")
    return int(text) / 1024 if text else None


def find_memory_limit(folder: Path) -> int | None:
    """Bytes."""
    text = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")
    return int(text) if text.isdigit() and int(text) < _UNLIMITED else None


def find_memory_peak(folder: Path) -> int | None:
    """Bytes at the most so far, its part of the page cache included; version 2 tells since Linux 5.19."""
    text = _read(folder / "memory.peak") or _read(folder / "memory.max_usage_in_bytes")
    return int(text) if text else None


def find_throttled(folder: Path) -> float | None:
    """Seconds that its threads were held back together, because the quota was used up."""
    rows = _rows(folder / "cpu.stat")
    if "throttled_usec" in rows:
        return rows["throttled_usec"] / 1e6
    return rows["throttled_time"] / 1e9 if "throttled_time" in rows else None


def find_oom_kills(folder: Path) -> int | None:
    """Processes of it and, in version 2, below it that the kernel killed for want of memory."""
    rows = _rows(folder / "memory.events") or _rows(folder / "memory.oom_control")
    return rows.get("oom_kill")


def has(folder: Path, pid: int) -> bool:
    """Whether the process is in this very cgroup."""
    return str(pid) in _read(folder / "cgroup.procs").split()


def _rows(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _words(folder: Path, *names: str) -> list[str]:
    return [_read(folder / name) for name in names]


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # of another controller, of the other version, or not for us to see
