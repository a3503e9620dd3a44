"""The files of the analytics: whole, and as new as they should be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.clock import parse_rfc3339, rfc3339
from appliance.ops.findings import Fault, Situation, check

if TYPE_CHECKING:
    from appliance.analytics.lake import Lake

MOST: Final = 5000
"""Files whose ends are read: a millisecond each."""
LATE: Final = dt.timedelta(hours=1)
"""That a run may take before the lake counts as lagging."""
_REBUILD: Final = "./scripts/appliance lake rebuild, which has the next run make it anew from the database"


@check("lake", "the files of the analytics are whole and new")
def lake(situation: Situation) -> Iterator[Fault]:
    """Of each file the end is read, where it shows when it was cut off; `lake verify` reads all bytes."""
    from appliance.analytics.lake import Lake

    folder = situation.paths.lake
    if not folder.is_dir():
        return  # told by data-folder
    found = Lake(folder)
    try:
        state = found.state()
        due = found.due()
    except (ValueError, KeyError, TypeError) as fault:
        meaning, _, _ = str(fault).partition("; next: ")
        yield "error", f"how far the lake goes cannot be read: {meaning} ({folder})", _REBUILD
        return
    files = [path for path in _files(found) if path.is_file()][-MOST:]
    if files and (bad := _damaged(files)):
        names = ", ".join(str(path.relative_to(folder)) for path in bad[:3])
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        yield "error", f"files of {folder} are damaged: {names}{more}", _REBUILD
    as_of = parse_rfc3339(state["as_of"]) if state["as_of"] else None
    asked = dt.datetime.fromtimestamp(due, dt.UTC) if due else None
    if asked and (as_of is None or as_of < asked) and situation.now() - asked > LATE:
        goes = f"goes up to {rfc3339(as_of)}" if as_of else "was never made"
        yield (
            "warning",
            f"the analytics lag: the lake was due at {rfc3339(asked)} and {goes}",
            "./scripts/appliance logs scheduler; then POST /api/v1/analytics/run",
        )


def _files(found: Lake) -> list[Path]:
    from appliance.analytics.tables import TABLES

    return [found.file(period) for period in found.periods()] + [found.table(name) for name in TABLES]


def _damaged(paths: list[Path]) -> list[Path]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    bad = []
    for path in paths:
        try:
            pq.read_metadata(path)
        except FileNotFoundError:
            continue  # a run has just replaced it
        except (OSError, pa.ArrowException):
            bad.append(path)
    return bad
