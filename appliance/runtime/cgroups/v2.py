"""Version 2: one hierarchy for all controllers.

A cgroup that hands controllers to its children may hold no process itself, except the real root ('no internal
processes', Documentation/admin-guide/cgroup-v2.rst). So `up` moves to a leaf before it enables any. Where
other processes share our cgroup, as in a login session, that is not ours to do; then root builds below the
hierarchy's real root, and anybody else goes without.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

from appliance.plan import CONTROLS, Budget, Share
from appliance.runtime.cgroups import tree
from appliance.runtime.cgroups.hierarchy import Hierarchy
from appliance.runtime.cgroups.values import PERIOD, cores, cores_list, memory, micro, quota, weight

LEAF = "supervisor"
"""Where `up` and supervisord live."""
_WEIGHT = 100
"""cpu.weight of one CPU; also the default of a cgroup."""


class V2:
    kind: Literal["v2"] = "v2"

    def __init__(self, found: Hierarchy) -> None:
        self._found = found

    @property
    def home(self) -> Path:
        """Where we came from; seen from our own leaf, what the appliance's cgroup is in."""
        own = self._found.own
        return own.parents[1] if own.name == LEAF and own != self._found.mount else own

    def top(self, control: str, name: str) -> Path:
        """Make the appliance's cgroup, move to its leaf and enable the control in it. Raises OSError."""
        base = self._base()
        top = base / name
        tree.make(top)
        tree.make(top / LEAF)
        tree.enter(top / LEAF)
        return top

    def hold(self, control: str, top: Path, budget: Budget) -> None:
        """Hold the whole and each program to their part of one control. Raises OSError."""
        limit = {"cpu": _cpu, "cpuset": _cpuset, "memory": _memory}[control]
        _enable(top.parent, control)
        limit(top, None, budget)
        _enable(top, control)
        for share in budget.shares:
            folder = top / share.name
            tree.make(folder)
            limit(folder, share, budget)
            if share.programs != (share.name,):
                _enable(folder, control)
            for program in share.programs:
                _make_program(control, top, share, program)

    def _base(self) -> Path:
        """The cgroup that ours is built in."""
        own = self.home
        if _is_real_root(own) or set(tree.members(own)) <= {os.getpid()}:
            return own
        if _is_real_root(self._found.mount):
            return self._found.mount
        raise PermissionError(
            f"other processes share {own}; next: run the systemd unit, or"
            " systemd-run --scope -p Delegate=yes ./scripts/up"
        )


def leave(top: Path, home: Path) -> None:
    """End the programs and go back to where we came from, so that `top` can be removed. Raises OSError."""
    for folder in [path for path in top.iterdir() if path.is_dir() and path.name != LEAF]:
        tree.remove(folder)
    enabled = (top / "cgroup.subtree_control").read_text().split()
    for control in enabled:
        tree.write(top / "cgroup.subtree_control", f"-{control}")
    if os.getpid() not in tree.members(top):
        return  # what a killed run left
    if home == top.parent and not _is_real_root(home):
        for control in enabled:
            tree.write(home / "cgroup.subtree_control", f"-{control}")
    tree.enter(home)


def _make_program(control: str, top: Path, share: Share, program: str) -> None:
    folder = top / share.folder_of(program)
    tree.make(folder)
    if control == "cpuset":
        tree.write(folder / "cpuset.cpus", cores_list(share.cores_of(program)))


def _is_real_root(folder: Path) -> bool:
    """The host's own root alone has no type (cgroup-v2.rst, 'Core Interface Files')."""
    return (folder / "cgroup.controllers").exists() and not (folder / "cgroup.type").exists()


def _enable(folder: Path, control: str) -> None:
    """For its children; one at a time, or one that is missing would keep the others away."""
    if control not in (folder / "cgroup.controllers").read_text().split():
        if _is_real_root(folder):
            raise OSError("the kernel does not offer the controller")
        raise OSError(
            f"{folder} was not given the controller; in a systemd unit Delegate={' '.join(CONTROLS)}"
        )
    tree.write(folder / "cgroup.subtree_control", f"+{control}")


def _cpu(folder: Path, share: Share | None, budget: Budget) -> None:
    most = quota(share, budget)
    tree.write(folder / "cpu.weight", min(10_000, round(_WEIGHT * weight(share, budget))))
    tree.write(folder / "cpu.max", f"{'max' if most is None else micro(most)} {PERIOD}")


def _cpuset(folder: Path, share: Share | None, budget: Budget) -> None:
    tree.write(folder / "cpuset.cpus", cores_list(cores(share, budget)))


def _memory(folder: Path, share: Share | None, budget: Budget) -> None:
    limit = memory(share, budget)
    if limit is None:
        return
    tree.write(folder / "memory.max", limit)
    # Else what is over the limit goes to the swap. Absent where the kernel has none.
    with contextlib.suppress(FileNotFoundError):
        tree.write(folder / "memory.swap.max", 0)
