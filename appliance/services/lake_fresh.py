"""What the lake does not know yet: responses of some forms that came or changed since its last run."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from appliance.addresses import Paths
from appliance.clock import rfc3339, utc_now
from appliance.services import lake_reading
from appliance.services.context import Context
from appliance.stores import lake_runs
from appliance.stores.mongo import Document

if TYPE_CHECKING:
    import pyarrow as pa

    from appliance.analytics.lake import Lake

MOST = 10_000
"""Responses that are read while a caller waits (half a second). When there are more, the lake is brought
up to date instead, and until then an answer is as old as the lake.
"""

BYTES = 32 * 2**20
"""That they have at most: more would not fit into the memory of whoever asks."""


class Fresh(NamedTuple):
    """The lake, and what it does not know."""

    lake: Lake
    rows: pa.Table | None
    """Of responses; None when they are too many."""
    as_of: str
    """Of the two together."""
    lake_as_of: str
    """Of the lake alone, which has all that is no response."""


async def read(context: Context, forms: Collection[str] | None) -> Fresh:
    """Raises PyMongoError, OSError, ValueError."""
    from appliance.analytics import rows
    from appliance.analytics.lake import Lake

    lake, now = Lake(Paths(context.settings.data).lake), utc_now()
    state = lake.state()
    lake_as_of = state["as_of"] or "1970-01-01T00:00:00Z"
    found = await _read(context, state, forms)
    if found is None or state["as_of"] is None:
        await lake_runs.ask(context.db, f"live:{now:%Y%m%d%H%M}", now)
    if found is None:
        return Fresh(lake, None, lake_as_of, lake_as_of)
    latest = {row["_id"]: row for row in sorted(found, key=lambda row: int(row["revision"]))}
    return Fresh(lake, rows.table(list(latest.values())), rfc3339(now), lake_as_of)


async def _read(
    context: Context, state: dict[str, Any], forms: Collection[str] | None
) -> list[Document] | None:
    """None when there are too many."""
    gone = set(state["gone"])
    grown = await lake_reading.grown_since(context, state, gone)
    mine = [one for one in grown if forms is None or one.form_id in forms]
    if sum(one.upto - one.after for one in mine) > MOST:
        return None
    found: list[Document] = []
    taken = 0
    for one in mine:
        async for new, size in lake_reading.came(context, one):
            found += new
            if (taken := taken + size) > BYTES:
                return None
    if state["changed"] is None:  # all is new
        return found
    async for some, size in lake_reading.changed(context, state["changed"]):
        found += [
            row for row in some if row["form_id"] not in gone and (forms is None or row["form_id"] in forms)
        ]
        if len(found) > 2 * MOST or (taken := taken + size) > BYTES:
            return None
    return found
