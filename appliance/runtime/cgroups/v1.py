"""Version 1: a hierarchy for each controller. A host that has both versions mostly has its controllers here.

Kernel: Documentation/admin-guide/cgroup-v1 (cpusets.rst, memory.rst), scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from appliance.plan import Budget, Share
from appliance.runtime.cgroups import tree
from appliance.runtime.cgroups.values import PERIOD, cores, cores_list, memory, micro, quota, weight

_SHARES = 1024
"""cpu.shares of one CPU; also the default of a cgroup."""


class V1:
    """`own`: by controller, the cgroup that we are in ourselves."""

    kind: Literal["v1"] = "v1"

    def __init__(self, own: Mapping[str, Path]) -> None:
        self._own = own

    def top(self, control: str, name: str) -> Path:
        """Make the appliance's cgroup of one controller. Raises OSError."""
        if control not in self._own:
            raise OSError("this machine does not offer the controller")
        top = self._own[control] / name
        tree.make(top)
        return top

    def hold(self, control: str, top: Path, budget: Budget) -> None:
        """Hold the whole and each program to their part of one control. Raises OSError."""
        limit = {"cpu": _cpu, "cpuset": _cpuset, "memory": _memory}[control]
        limit(top, None, budget)
        for share in budget.shares:
            tree.make(top / share.name)
            limit(top / share.name, share, budget)
            for program in share.programs:
                _make_program(control, top, share, program)


def _make_program(control: str, top: Path, share: Share, program: str) -> None:
    """Those that have a share together are counted apart, and may have cores of their own."""
    folder = top / share.folder_of(program)
    tree.make(folder)
    if control == "cpuset":
        _write_cores(folder, share.cores_of(program))


def _cpu(folder: Path, share: Share | None, budget: Budget) -> None:
    most = quota(share, budget)
    tree.write(folder / "cpu.shares", round(_SHARES * weight(share, budget)))
    tree.write(folder / "cpu.cfs_period_us", PERIOD)
    tree.write(folder / "cpu.cfs_quota_us", -1 if most is None else micro(most))


def _cpuset(folder: Path, share: Share | None, budget: Budget) -> None:
    _write_cores(folder, cores(share, budget))


def _memory(folder: Path, share: Share | None, budget: Budget) -> None:
    limit = memory(share, budget)
    if limit is None:
        return
    tree.write(folder / "memory.limit_in_bytes", limit)
    # Else what is over the limit goes to the swap. Absent where the kernel does not count swap.
    with contextlib.suppress(FileNotFoundError):
        tree.write(folder / "memory.memsw.limit_in_bytes", limit)


def _write_cores(folder: Path, numbers: tuple[int, ...]) -> None:
    """Memory nodes first: a new cpuset has neither, and takes processes only when it has both."""
    tree.write(folder / "cpuset.mems", (folder.parent / "cpuset.mems").read_text().strip())
    tree.write(folder / "cpuset.cpus", cores_list(numbers))
