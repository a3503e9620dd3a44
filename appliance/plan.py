"""What each program is to have of the machine: decided by `up`, carried out by `launch`, told by `status`.

`up` writes it to run/plan.json and removes it when it ends; so others see the budget without asking whoever
made it, and programs that are already held to their part don't take that part for the whole machine.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from appliance.addresses import Paths
from appliance.disk import write_atomically

CONTROLS = ("cpu", "cpuset", "memory")
"""The controllers of the kernel that hold programs to their part."""


@dataclass(frozen=True, slots=True)
class Share:
    """One row of the budget: a program, or several that have it together. Memory is in bytes."""

    name: str
    programs: tuple[str, ...]
    cpus: float
    """What is planned: with a `quota` the most it may use, else its weight beside the others."""
    quota: float | None
    memory: int | None
    cores: tuple[int, ...]
    apart: bool
    """Each of the programs has a core of its own."""
    nice: int
    oom_score: int
    processes: int
    """Of itself, or of its kind: nginx's and the pools' workers, the API's programs, a model's threads."""

    def cores_of(self, program: str) -> tuple[int, ...]:
        return (self.cores[self.programs.index(program)],) if self.apart else self.cores

    def folder_of(self, program: str) -> str:
        """Of the program's cgroup, below the appliance's."""
        return program if program == self.name else f"{self.name}/{program}"


@dataclass(frozen=True, slots=True)
class Budget:
    """`cpus` counts whole CPUs; `cores` are those it may use, more than `cpus` where a quota limits it."""

    cpus: int
    memory: int
    cores: tuple[int, ...]
    shares: tuple[Share, ...]

    def share(self, name: str) -> Share:
        return next(share for share in self.shares if share.name == name)

    def find_share_of(self, program: str) -> Share | None:
        return next((share for share in self.shares if program in share.programs), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """The budget and how it is enforced."""

    budget: Budget
    backend: Literal["v2", "v1", "none"]
    """v2, v1 or none: the kind of cgroups."""
    folders: dict[str, str] = field(default_factory=dict)
    """By control: the appliance's cgroup, whose children are the programs'."""
    degraded: dict[str, str] = field(default_factory=dict)
    """By control: why it is not enforced."""
    made: tuple[str, ...] = ()
    """Every cgroup of the appliance that was made: what has to be removed."""
    home: str = ""
    """Where `up` came from, when it had to move out of its own cgroup."""

    def folder_of(self, control: str, program: str) -> Path | None:
        """The program's cgroup; None when nothing enforces that control."""
        share = self.budget.find_share_of(program)
        if share is None or control not in self.folders:
            return None
        return Path(self.folders[control]) / share.folder_of(program)

    def reasons(self) -> dict[str, list[str]]:
        """Why controls are not enforced: the controls by their reason."""
        found: dict[str, list[str]] = {}
        for control, reason in self.degraded.items():
            found.setdefault(reason, []).append(control)
        return found


def write(paths: Paths, plan: Plan) -> None:
    write_atomically(paths.plan, json.dumps(asdict(plan), indent=2))


def find(paths: Paths) -> Plan | None:
    """None when nothing runs, or not with a plan."""
    try:
        read: dict[str, Any] = json.loads(paths.plan.read_text())
        return Plan(**{**read, "budget": _budget(read["budget"]), "made": tuple(read["made"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _budget(read: dict[str, Any]) -> Budget:
    shares = tuple(
        Share(**{**share, "programs": tuple(share["programs"]), "cores": tuple(share["cores"])})
        for share in read["shares"]
    )
    return Budget(**{**read, "cores": tuple(read["cores"]), "shares": shares})
