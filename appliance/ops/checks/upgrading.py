"""Newer code and the data: nothing half-done, nothing that does not fit, nothing left for long."""

from __future__ import annotations

from collections.abc import Iterator

from appliance import levels
from appliance.errors import CannotStart
from appliance.ops import service, upgrade_journal
from appliance.ops.findings import Fault, Situation, check
from appliance.runtime import snapshots


@check("upgrade", "the data is of this code's level, and no upgrade was broken off")
def upgrade(situation: Situation) -> Iterator[Fault]:
    start = service.start_command()
    yield from _code(start)
    paths, level, known = situation.paths, levels.noted(situation.settings), levels.of_code()
    try:
        mark = snapshots.read(paths)
    except CannotStart as fault:
        meaning, _, after = str(fault).partition("; next: ")
        yield "error", meaning, after
        return
    if mark is not None:
        if situation.programs is None:
            back = f"a start goes back to level {mark.about.level} first"
            yield "warning", f"an upgrade of the data to level {mark.about.to} was broken off; {back}", start
    elif level is not None and level > known:
        yield (
            "error",
            f"the data is of level {level}, and this code knows level {known} at most: it does not start",
            "start the newer code again",
        )
    elif level is not None and level < known:
        names = ", ".join(step.name for step in levels.pending(level))
        yield "warning", f"the next start migrates the data from level {level} to {known}: {names}", start
    if mark is None and (unknown := snapshots.find_unknown(paths)):
        meaning, _, after = unknown.partition("; next: ")
        yield "warning", meaning, after
    kept = snapshots.find(paths)
    if mark is None and kept is not None and snapshots.is_old(kept, situation.now()):
        yield (
            "warning",
            f"the copy of the data of {kept.at} is still there, with what was erased since",
            f"{start}, which removes it; or rm -r '{snapshots.folder(paths)}'",
        )


def _code(start: str) -> Iterator[Fault]:
    """Of an installation."""
    try:
        begun = upgrade_journal.read()
        if begun is None or upgrade_journal.is_at_work():
            return
    except (CannotStart, OSError) as fault:
        meaning, _, after = str(fault).partition("; next: ")
        yield "error", meaning, after or start
        return
    yield (
        "error",
        f"an upgrade to {begun.to} was killed ({begun.phase}), and nobody has gone back yet",
        f"{start}, which goes back to {begun.version} first",
    )
