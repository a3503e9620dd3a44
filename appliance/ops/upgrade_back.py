"""`appliance upgrade --back`: the data of before the last migration comes back at the next start."""

from __future__ import annotations

import os
import sys

from appliance import levels, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import parent, service, upgrade_secrets
from appliance.runtime import ownership, snapshots
from appliance.runtime.snapshots import About, Mark


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
        begun = snapshots.read(paths)
        if begun is not None and begun.phase == "migrating":
            print(f"an upgrade was broken off, and the next start goes back; next: {service.start_command()}")
            return 0
        about = _find_copy(paths, begun)
        if not sure and not _confirmed(about.at):
            print("nothing was changed")
            return 1
        try:
            then = upgrade_secrets.keep_newer(paths)
            snapshots.rearm(paths, about)
        except OSError as fault:
            raise CannotStart(
                f"{fault.filename or paths.upgrade}: {fault.strerror}; next: mend that, run this again"
            ) from None
    _tell(paths, then)
    print(f"the data of {about.at} takes its place at the next start; next: {service.start_command()}")
    return 0


def _find_copy(paths: Paths, begun: Mark | None) -> About:
    """One that is whole and may be put back. Raises CannotStart."""
    about, known = snapshots.find(paths), levels.of_code()
    if about is None:
        unknown = "" if begun else snapshots.find_unknown(paths)
        raise CannotStart(
            unknown or f"{snapshots.folder(paths)} holds no copy; next: restore a backup of before"
        )
    if about.level > known:
        raise CannotStart(
            f"the copy is of level {about.level}, and this code knows level {known} at most;"
            " next: the same with newer code"
        )
    snapshots.check(paths)
    if came := _erased_since(paths):
        raise CannotStart(
            f"what was erased since for a person's sake would come back (erasures: {came});"
            " next: restore a backup of before, which erases it anew (docs/backup.md)"
        )
    return about


def _tell(paths: Paths, then: list[str]) -> None:
    if snapshots.archive(paths).exists():
        print("secrets stay as they are; passwords of accounts come back with the database")
        return
    print(
        "keys that sign sessions, and keys of backups made since, stay; passwords of accounts come back with"
        " the database, certificates with tls"
    )
    if then:
        print(
            f"as of then, too: {', '.join(then)};"
            " next, when it is ready again: ./scripts/appliance secrets rotate database; … rotate admin"
        )


def _erased_since(paths: Paths) -> int:
    there = {each.name for each in (snapshots.folder(paths) / paths.erasures.name).glob("*.json")}
    return len({each.name for each in paths.erasures.glob("*.json")} - there)


def _confirmed(at: str) -> bool:
    question = f"Give up all that was stored since {at}, for good? [y/N] "
    return sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes")
