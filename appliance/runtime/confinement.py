"""A program's part of the machine, taken by the process that is about to become it.

Nothing here keeps a program from starting: what cannot be taken is said, and `status` shows what was given.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path

from appliance import plan, processes
from appliance.addresses import Paths
from appliance.plan import CONTROLS, Share
from appliance.runtime.cgroups import tree
from appliance.runtime.cgroups.values import cores_list, parse_cores

STATUS = Path("/proc/self/status")


def confine(program: str, paths: Paths) -> list[str]:
    """Enter the program's cgroups, take its cores and its place behind others; what failed, a line each."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # an image of the memory would hold secrets
    found = plan.find(paths)
    if found is None and paths.plan.exists():
        return [f"not held to the budget: {paths.plan} cannot be read; next: stop and start the appliance"]
    share = found.budget.find_share_of(program) if found else None
    if found is None or share is None:
        return []
    folders = {found.folder_of(control, program) for control in CONTROLS} - {None}
    steps: list[Callable[[], None]] = [partial(tree.enter, folder) for folder in folders if folder]
    steps += [
        partial(_take_cores, share.cores_of(program)),
        partial(_yield, share),
        partial(processes.raise_oom_score, share.oom_score),
    ]
    return [told for step in steps if (told := _try(step))]


def _try(step: Callable[[], None]) -> str | None:
    try:
        step()
    except OSError as fault:
        return f"not held to the budget: {fault}"
    return None


def _take_cores(asked: tuple[int, ...]) -> None:
    """The kernel cuts silently to what is allowed and refuses only when nothing is: so it is read back."""
    os.sched_setaffinity(0, asked)
    given = _cores()
    if given != asked:
        raise OSError(f"cores {cores_list(asked)} asked, {cores_list(given)} given")


def _cores() -> tuple[int, ...]:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("Cpus_allowed_list:"))
    return parse_cores(line.partition(":")[2])


def _yield(share: Share) -> None:
    """To be less nice than whoever started us would need a right."""
    os.setpriority(os.PRIO_PROCESS, 0, max(share.nice, os.getpriority(os.PRIO_PROCESS, 0)))
