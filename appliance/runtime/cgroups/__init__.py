"""How the kernel is made to enforce the budget: cgroups of version 2 or 1, whichever holds the controllers.

Each control (cpu, cpuset, memory) is tried for real and is given up alone, with the reason; so in a
container, or as an ordinary user, what can be enforced is, and `status` tells the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Protocol, cast

from appliance import plan
from appliance.addresses import Paths
from appliance.plan import CONTROLS, Budget, Plan
from appliance.runtime import ownership
from appliance.runtime.cgroups import hierarchy, tree, v2
from appliance.runtime.cgroups.hierarchy import Hierarchy
from appliance.runtime.cgroups.v1 import V1
from appliance.runtime.cgroups.v2 import V2


class Backend(Protocol):
    @property
    def kind(self) -> Literal["v2", "v1"]: ...

    def top(self, control: str, name: str) -> Path:
        """Make the appliance's cgroup. Raises OSError."""

    def hold(self, control: str, top: Path, budget: Budget) -> None:
        """Hold the whole and each program to their part of one control. Raises OSError."""


def name_of(paths: Paths) -> str:
    """Of the appliance's cgroup: several appliances on one machine are kept apart by their data folders."""
    return f"appliance-{hashlib.sha256(str(paths.data.resolve()).encode()).hexdigest()[:10]}"


def choose(hierarchies: Iterable[Hierarchy]) -> Backend | None:
    """Version 1 where any of its hierarchies has one of our controllers, then version 2."""
    found = list(hierarchies)
    first = {
        control: each.own
        for each in found
        if each.version == 1
        for control in CONTROLS
        if control in each.controllers
    }
    if first:
        return V1(first)
    second = [each for each in found if each.version == 2 and each.controllers & set(CONTROLS)]
    return V2(second[0]) if second else None


def establish(paths: Paths, budget: Budget, hierarchies: Iterable[Hierarchy] | None = None) -> Plan:
    """Make the cgroups as far as they can be made, and write down what holds. Raises no OSError of theirs."""
    backend = choose(hierarchy.find_all() if hierarchies is None else hierarchies)
    made: list[str] = []
    folders: dict[str, str] = {}
    degraded: dict[str, str] = {}
    for control in CONTROLS:
        try:
            with ownership.as_root():
                top = _top(backend, control, name_of(paths))
                made += [str(top)] if str(top) not in made else []
                cast(Backend, backend).hold(control, top, budget)
            folders[control] = str(top)
        except OSError as fault:
            degraded[control] = _reason(fault)
    kind = backend.kind if backend and folders else "none"
    home = str(backend.home) if isinstance(backend, V2) else ""
    done = Plan(budget, kind, folders, degraded, tuple(made), home)
    plan.write(paths, done)
    return done


def give(found: Plan, user: int, group: int) -> None:
    """Let the user start programs in the cgroups. Raises OSError."""
    with ownership.as_root():
        for top in found.made:
            tree.give(Path(top), user, group)


def remove(paths: Paths) -> list[str]:
    """End what runs in the cgroups of this or an earlier run, remove them; what could not be, a line each.

    The plan is a file that others than root may write: only cgroups are taken from it.
    """
    found = plan.find(paths)
    told = []
    home = Path(found.home) if found and found.home and _is_cgroup(Path(found.home)) else None
    for top in map(Path, found.made if found else ()):
        if top.name != name_of(paths) or not _is_cgroup(top):
            continue  # not of this data folder: a copy of another one
        try:
            with ownership.as_root():
                if home and top.exists():
                    v2.leave(top, home)
                tree.remove(top)
        except PermissionError:
            continue  # after a change of user: it is empty, and the next start takes it over
        except OSError as fault:
            told.append(f"cgroup {top} stays: {_reason(fault)}")
    paths.plan.unlink(missing_ok=True)
    return told


def _is_cgroup(folder: Path) -> bool:
    mounts = [each.mount for each in hierarchy.find_all()]
    return ".." not in folder.parts and any(map(folder.is_relative_to, mounts))


def _top(backend: Backend | None, control: str, name: str) -> Path:
    if backend is None:
        raise OSError("this machine, or container, offers no cgroup controllers")
    return backend.top(control, name)


def _reason(fault: OSError) -> str:
    return f"{fault.filename}: {fault.strerror}" if fault.filename else fault.strerror or str(fault)
