"""What runs on this machine and what it has of it, read from what `up` and the programs leave in run/, from
/proc and from the cgroups. Nothing here can steer the supervisor.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from appliance import cgroup_files, courses, plan, processes, trees
from appliance.addresses import Paths
from appliance.plan import Budget, Plan, Share

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the machine. None: not limited, or not known. `weight` counts where there is not enough."""

    cpus: float | None
    weight: float | None
    memory: int | None
    cores: tuple[int, ...]
    nice: int | None


@dataclass(frozen=True, slots=True)
class Use:
    """What a program has used. Programs that have a share together are held back and limited together."""

    memory: int | None
    """Bytes now (PSS)."""
    peak: int | None
    """Bytes at the most since the start of the appliance, what the page cache held for it included."""
    throttled: float | None
    """Seconds, of the share."""
    oom_kills: int | None


@dataclass(frozen=True, slots=True)
class Running:
    """`uptime` in seconds, None when it does not run."""

    name: str
    pid: int | None
    uptime: float | None
    restarts: int
    asked: Part | None
    given: Part | None
    use: Use


def list_all(paths: Paths) -> list[Running]:
    """Every program that was started since the appliance was, as far as its records tell."""
    found = plan.find(paths)
    return [_running(paths, found, name, count) for name, count in restarts(paths).items()]


def restarts(paths: Paths) -> dict[str, int]:
    """By program: starts after an end that nobody asked for. Cheap to ask, unlike what a program uses."""
    kept = courses.read(paths)
    return {name: kept.restarts_of(name) for name in sorted(path.stem for path in paths.pids.glob("*.json"))}


def _running(paths: Paths, found: Plan | None, name: str, restarts: int) -> Running:
    pid, uptime = _find_process(paths, name)
    return Running(
        name, pid, uptime, restarts, asked(found, name), given(found, name, pid), use(found, name, pid)
    )


def asked(found: Plan | None, name: str) -> Part | None:
    """What the budget has for the program."""
    share = found.budget.find_share_of(name) if found else None
    return _part(found.budget, share, name) if found and share else None


def _part(budget: Budget, share: Share, name: str) -> Part:
    cpus = float(budget.cpus) if share.quota is None else share.quota
    return Part(cpus, share.cpus or None, share.memory, share.cores_of(name), share.nice)


def given(found: Plan | None, name: str, pid: int | None) -> Part | None:
    """What the kernel really holds the process to."""
    if pid is None:
        return None
    try:
        cores, nice = os.sched_getaffinity(pid), os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return None  # ended meanwhile
    cpu, memory = (_chain(found, control, name, pid) for control in ("cpu", "memory"))
    return Part(
        cpus=_first(map(cgroup_files.find_quota, cpu)),
        weight=_first(map(cgroup_files.find_weight, cpu[-2:])),
        memory=_first(map(cgroup_files.find_memory_limit, memory)),
        cores=tuple(sorted(cores)),
        nice=nice,
    )


def use(found: Plan | None, name: str, pid: int | None) -> Use:
    share = found.budget.find_share_of(name) if found else None
    cpu, memory = (found.folder_of(control, name) if found else None for control in ("cpu", "memory"))
    of_share = cpu.parent if cpu and share and share.name != name else cpu
    return Use(
        memory=trees.proportional(trees.members(pid)) if pid else None,
        peak=cgroup_files.find_memory_peak(memory) if memory else None,
        throttled=cgroup_files.find_throttled(of_share) if of_share else None,
        oom_kills=cgroup_files.find_oom_kills(memory) if memory else None,
    )


def _find_process(paths: Paths, name: str) -> tuple[int | None, float | None]:
    """The process that `launch` recorded, if it still lives, and the seconds since it started."""
    try:
        record = json.loads((paths.pids / f"{name}.json").read_text())
        pid, started = int(record["pid"]), int(record["start_time"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, None
    now = processes.find_stat(pid)
    if (
        now is None
        or now.start_time != started
        or now.state in "ZX"
        or record["boot_id"] != processes.boot_id()
    ):
        return None, None
    return pid, time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def _chain(found: Plan | None, control: str, name: str, pid: int) -> list[Path]:
    """The program's cgroup and those above it, up to the appliance's own; none when it is not in there."""
    folder = found.folder_of(control, name) if found else None
    if found is None or folder is None or not cgroup_files.has(folder, pid):
        return []
    top = Path(found.folders[control])
    return [folder, *(each for each in folder.parents if each == top or top in each.parents)]


def _first(values: Iterable[Number | None]) -> Number | None:
    return next((value for value in values if value is not None), None)
