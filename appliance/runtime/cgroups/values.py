"""Values that both versions of cgroups take."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.plan import Budget, Share
from appliance.runtime.budget import programs_memory

PERIOD = 100_000
"""Microseconds; the kernel's own default."""


def weight(share: Share | None, budget: Budget) -> float:
    """In CPUs. Beside the rest of the machine the whole (None) weighs the CPUs that it may use."""
    return float(budget.cpus) if share is None else share.cpus or 1.0


def quota(share: Share | None, budget: Budget) -> float | None:
    """CPUs that the share, or the whole (None), never exceeds; None: no such limit."""
    return float(budget.cpus) if share is None else share.quota


def cores(share: Share | None, budget: Budget) -> tuple[int, ...]:
    """Of the share, or of the whole (None)."""
    return budget.cores if share is None else share.cores


def memory(share: Share | None, budget: Budget) -> int | None:
    """Bytes that the share, or the whole (None), never exceeds; None: no such limit."""
    return programs_memory(budget) if share is None else share.memory


def micro(cpus: float) -> int:
    """The quota in microseconds of a period; the kernel takes no less than 1,000."""
    return max(1000, round(cpus * PERIOD))


def cores_list(numbers: Iterable[int]) -> str:
    """The kernel's format: `0-3,8`."""
    parts: list[list[int]] = []
    for core in sorted(numbers):
        if parts and core == parts[-1][-1] + 1:
            parts[-1].append(core)
        else:
            parts.append([core])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def parse_cores(text: str) -> tuple[int, ...]:
    """`0-3,8` → 0, 1, 2, 3, 8."""
    found: list[int] = []
    for part in text.strip().split(",") if text.strip() else []:
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
