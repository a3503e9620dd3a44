"""The budget: who gets how much of the machine. One table, and one function that scales it.

The table is for 16 CPUs and 16 GiB, which is also the most that is taken unless APPLIANCE_CPUS and
APPLIANCE_MEMORY say more. The rules of scaling:

- From 16 CPUs on, each share has its own cores and a quota that it never exceeds; both grow with the CPUs.
- Below, quotas would waste what others leave idle. So every program may use every core, and `cpus` is its
  weight when there is not enough for all.
- Memory limits shrink and grow with the memory, but never below what the programs need to work. On a small
  machine their sum then exceeds it: a limit is no reservation, and all programs together are held to 15/16
  of the memory. Where that is not enough, those that lose least go first: the kernel heeds `oom_score`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from appliance.plan import Budget, Share

PLANNED_CPUS = 16
GIB = 2**30
PLANNED_MEMORY = 16 * GIB
MIB = 2**20


class Row(NamedTuple):
    """What one share gets of 16 CPUs and 16 GiB."""

    name: str
    cpus: float
    """0: no limit of its own; it lives on the reserve."""
    memory: int
    """MiB; 0 as with `cpus`."""
    cores: tuple[int, int]
    """First and last."""
    least: int
    """MiB that it needs at the least …"""
    each: int
    """… and MiB for each of its processes."""
    processes: int = 1
    nice: int = 0
    oom_score: int = 0
    """0 to 1000: how much rather than others it is ended when memory runs out (proc(5), oom_score_adj)."""
    programs: tuple[str, ...] = ()
    """Those that have the share together; default: the one of that name."""


# `nice` counts where there are no CPU weights. What is lost least: what starts again by itself and repeats
# its work; databases come last.
TABLE = (
    Row("nginx", 0.5, 256, (12, 12), least=64, each=32, processes=2),
    Row("api", 4, 1024, (0, 3), least=512, each=128, processes=4, oom_score=100),
    Row("worker-high", 0.5, 512, (10, 10), least=256, each=48, processes=4, oom_score=200),
    Row("worker-default", 0.5, 512, (11, 11), least=256, each=48, processes=4, nice=5, oom_score=300),
    Row("worker-ai", 4, 4096, (4, 7), least=768, each=0, processes=4, nice=10, oom_score=600),
    Row("scheduler", 1, 1024, (13, 13), least=384, each=0, nice=5, oom_score=200),
    Row("mongo", 2, 2048, (8, 9), least=768, each=0),
    Row("redis", 0.5, 256, (12, 12), least=256, each=0),
    Row(
        "monitoring", 0.5, 256, (14, 14), least=192, each=0, nice=5, oom_score=500,
        programs=("prometheus", "alertmanager", "node-exporter", "redis-exporter"),
    ),
    Row("guardian", 0, 0, (14, 14), least=0, each=0),
)  # fmt: skip
"""The plan. Left to the system and the reserve: core 15, 2.5 CPUs, 6.2 GiB."""

LONE_PROGRAMS = frozenset(row.name for row in TABLE if not row.programs and row.name != "api")


def budget(cores: Sequence[int], memory: int, *, cpus: int | None = None) -> Budget:
    """Share out these cores and bytes. `cpus` where a quota gives fewer CPUs than there are cores."""
    count = max(1, min(len(cores), cpus or len(cores)))
    usable = tuple(cores if count < PLANNED_CPUS else cores[:count])
    shares = tuple(_share(row, usable, count, memory) for row in TABLE)
    return Budget(count, memory, usable, shares)


def programs_memory(given: Budget) -> int:
    """Bytes that all programs together may have; the rest is the system's."""
    return given.memory // 16 * 15


def _share(row: Row, cores: tuple[int, ...], count: int, memory: int) -> Share:
    is_short = count < PLANNED_CPUS
    grown = row.cpus if is_short else row.cpus * count / PLANNED_CPUS
    processes = _processes(row, count)
    own = cores if is_short else _own_cores(row, cores)
    return Share(
        name=row.name,
        programs=_programs(row, processes),
        cpus=grown,
        quota=None if is_short or not row.cpus else min(grown, len(own)),
        memory=_memory(row, processes, memory),
        cores=own,
        apart=row.name == "api" and not is_short,
        nice=row.nice,
        oom_score=row.oom_score,
        processes=processes,
    )


def _own_cores(row: Row, cores: tuple[int, ...]) -> tuple[int, ...]:
    first, last = row.cores
    return cores[first * len(cores) // PLANNED_CPUS : (last + 1) * len(cores) // PLANNED_CPUS]


def _processes(row: Row, count: int) -> int:
    """From 16 CPUs on they grow with them; below, what waits for others most of the time keeps its number."""
    if count >= PLANNED_CPUS:
        return row.processes * count // PLANNED_CPUS
    if row.name == "api":
        return max(2, min(row.processes, count))  # one goes on while the other is started anew
    if row.name == "worker-ai":
        return min(row.processes, count)
    if row.name == "nginx":
        return 1 if count < 4 else row.processes
    return min(row.processes, 2 * count)


def _programs(row: Row, processes: int) -> tuple[str, ...]:
    if row.name == "api":
        return tuple(f"api-{number}" for number in range(1, processes + 1))
    return row.programs or (row.name,)


def _memory(row: Row, processes: int, memory: int) -> int | None:
    if not row.memory:
        return None
    return max(row.memory * MIB * memory // PLANNED_MEMORY, (row.least + row.each * processes) * MIB)
