"""How much of the machine is ours: what the host has, what our cgroups allow, what the operator asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from appliance import cgroup_files
from appliance.plan import Budget
from appliance.runtime import budget
from appliance.runtime.cgroups import hierarchy
from appliance.runtime.cgroups.hierarchy import Hierarchy
from appliance.settings import Settings

MEMINFO = Path("/proc/meminfo")


class Allowance(NamedTuple):
    cores: tuple[int, ...]
    cpus: int
    """Whole CPUs; fewer than `cores` when a quota limits us."""
    memory: int


def find_budget(settings: Settings) -> Budget:
    """The table, scaled to what this process may use. Not for one that is held to its part already."""
    found = find(settings, hierarchy.find_all())
    return budget.budget(found.cores, found.memory, cpus=found.cpus)


def find(settings: Settings, hierarchies: Iterable[Hierarchy]) -> Allowance:
    """Never above what the host or our cgroups allow, nor above 16 CPUs and 16 GiB unless asked for."""
    own = list(hierarchies)
    cores = tuple(sorted(os.sched_getaffinity(0)))[: settings.cpus or budget.PLANNED_CPUS]
    quota = min(_cpus(own), default=float(len(cores)))
    memory = min(settings.memory or budget.PLANNED_MEMORY, host_memory(), *_memory(own))
    return Allowance(cores, max(1, min(len(cores), int(quota))), memory)


def host_memory() -> int:
    """Bytes, as the kernel counts them (MemTotal)."""
    line = next(line for line in MEMINFO.read_text().splitlines() if line.startswith("MemTotal:"))
    return int(line.split()[1]) * 1024


def _cpus(hierarchies: Iterable[Hierarchy]) -> list[float]:
    """The quotas over us."""
    found = (cgroup_files.find_quota(folder) for each in hierarchies for folder in each.upwards())
    return [quota for quota in found if quota is not None]


def _memory(hierarchies: Iterable[Hierarchy]) -> list[int]:
    found = (cgroup_files.find_memory_limit(folder) for each in hierarchies for folder in each.upwards())
    return [limit for limit in found if limit is not None]
