"""The machine under the appliance, for admins: what runs, what each program may have and what it uses."""

from __future__ import annotations

import asyncio
from typing import Literal

from msgspec import Struct

from appliance import __version__, plan
from appliance.addresses import Paths
from appliance.plan import Plan
from appliance.services.context import Context
from appliance.stores import programs
from appliance.stores.programs import Part, Running, Use


class SystemBudget(Struct, kw_only=True):
    """What all programs have together. `enforced_by` is `v2` or `v1` of cgroups, or `none`: then only the
    cores are; `not_enforced` says why, by control (cpu, cpuset, memory)."""

    cpus: int
    memory: int
    cores: list[int]
    enforced_by: Literal["v2", "v1", "none"]
    not_enforced: dict[str, str]


class SystemProgram(Struct, kw_only=True):
    """`uptime` in seconds since the last start; `restarts` those that nobody asked for. `asked` is the
    program's part by the budget, `given` what the kernel holds it to; null: it has none of its own."""

    name: str
    state: Literal["running", "down"]
    pid: int | None
    uptime: float | None
    restarts: int
    asked: Part | None
    given: Part | None
    use: Use


class System(Struct, kw_only=True):
    version: str
    budget: SystemBudget | None
    programs: list[SystemProgram]


async def describe(context: Context) -> System:
    return await asyncio.to_thread(_describe, Paths(context.settings.data))


def _describe(paths: Paths) -> System:
    found = plan.find(paths)
    return System(
        version=__version__,
        budget=_budget(found) if found else None,
        programs=[_program(each) for each in programs.list_all(paths)],
    )


def _budget(found: Plan) -> SystemBudget:
    return SystemBudget(
        cpus=found.budget.cpus,
        memory=found.budget.memory,
        cores=list(found.budget.cores),
        enforced_by=found.backend,
        not_enforced=found.degraded,
    )


def _program(each: Running) -> SystemProgram:
    return SystemProgram(
        name=each.name,
        state="down" if each.pid is None else "running",
        pid=each.pid,
        uptime=each.uptime,
        restarts=each.restarts,
        asked=each.asked,
        given=each.given,
        use=each.use,
    )
