"""The budget in `status`: what each program was to have, what it was given and what it has used."""

from __future__ import annotations

from typing import Any

from appliance.ops.table import duration, print_table, size
from appliance.plan import Plan
from appliance.runtime.cgroups.values import cores_list

Row = dict[str, Any]


def describe(found: Plan | None) -> Row | None:
    """JSON-able; None where nothing was planned. `not_enforced` gives the reason by control."""
    if found is None:
        return None
    budget = found.budget
    return {
        "cpus": budget.cpus,
        "memory": budget.memory,
        "cores": list(budget.cores),
        "enforced_by": found.backend,
        "not_enforced": found.degraded,
    }


def show(budget: Row | None, programs: list[Row]) -> None:
    if budget is None:
        return
    by = (
        "not enforced by the kernel"
        if budget["enforced_by"] == "none"
        else f"cgroups {budget['enforced_by']}"
    )
    print(
        f"\nbudget    {budget['cpus']} CPUs, {size(budget['memory'])}, {by} (asked/given where they differ)"
    )
    for control, reason in budget["not_enforced"].items():
        print(f"not held to {control}: {reason}")
    planned = [row for row in programs if row["asked"]]
    print_table(
        ("PROGRAM", "CPUS", "WEIGHT", "CORES", "LIMIT", "PEAK", "THROTTLED", "OOM KILLS"),
        [_cells(row) for row in planned],
    )
    for row in planned:
        if row["given"] and row["given"]["cores"] != row["asked"]["cores"]:
            print(f"{row['name']} was not given the cores it asked for")


def _cells(row: Row) -> tuple[str, ...]:
    asked, given = row["asked"], row["given"] or dict.fromkeys(row["asked"])
    return (
        row["name"],
        _pair(_cpus(asked["cpus"]), _cpus(given["cpus"])),
        _pair(_cpus(asked["weight"]), _cpus(given["weight"])),
        _pair(_cores(asked["cores"]), _cores(given["cores"])),
        _pair(_size(asked["memory"]), _size(given["memory"])),
        _size(row["peak"]),
        "-" if row["throttled"] is None else duration(row["throttled"]),
        "-" if row["oom_kills"] is None else str(row["oom_kills"]),
    )


def _pair(asked: str, given: str) -> str:
    """Who has nothing of its own is held to what all have together: no difference."""
    return asked if asked in (given, "-") else f"{asked}/{given}"


def _cpus(count: float | None) -> str:
    return "-" if count is None else f"{count:.2g}"


def _size(count: int | None) -> str:
    return "-" if count is None else size(count)


def _cores(cores: tuple[int, ...] | None) -> str:
    """`0-3,8`."""
    return "-" if cores is None else cores_list(cores)
