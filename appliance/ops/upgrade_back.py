"""`appliance upgrade --back`: the data of before the last migration comes back at the next start."""

from __future__ import annotations

import os
import sys

from appliance import levels, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import parent, service
from appliance.runtime import ownership, snapshots


def run(*, sure: bool, above: int | None) -> int:
    """1 when it was not confirmed. `above`: only when the data is of a higher level. Raises CannotStart."""
    if os.geteuid() == 0:
        ownership.step_down()
    chosen = settings.load()
    paths = Paths(chosen.data)
    if above is not None and (levels.noted(chosen) or 0) <= above:
        return 0
    with parent.hold(paths) as pid:
        if pid is not None:
            raise CannotStart(f"the appliance runs as process {pid}; next: stop it, run this again")
        about, known = snapshots.find(paths), levels.of_code()
        if about is None:
            raise CannotStart(f"{snapshots.folder(paths)} holds no copy; next: restore a backup of before")
        if about.level > known:
            raise CannotStart(
                f"the copy is of level {about.level}, and this code knows level {known} at most;"
                " next: the same with newer code"
            )
        if came := _erased_since(paths):
            raise CannotStart(
                f"what was erased since for a person's sake would come back (erasures: {came});"
                " next: restore a backup of before, which erases it anew (docs/backup.md)"
            )
        if not sure and not _confirmed(about.at):
            print("nothing was changed")
            return 1
        snapshots.rearm(paths, about)
    print(f"the data of {about.at} takes its place at the next start; next: {service.start_command()}")
    return 0


def _erased_since(paths: Paths) -> int:
    there = {each.name for each in (snapshots.folder(paths) / paths.erasures.name).glob("*.json")}
    return len({each.name for each in paths.erasures.glob("*.json")} - there)


def _confirmed(at: str) -> bool:
    question = f"Give up all that was stored since {at}, for good? [y/N] "
    return sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes")
