"""Half-filled responses and the responses that they become: whom one tells of, the other does too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from appliance.services.erasure_finding import Finds
from appliance.stores import partials
from appliance.stores.mongo import Database, Document

_PIECE: Final = 100
_KEY: Final = partials.submit_key("")


async def followed(db: Database, finds: Finds) -> Finds:
    """With the responses that half-filled ones have become since, in their place, and in `submitted` what the
    responses were before: a backup may have that still. Safe to repeat, also when some of it is gone by then.
    """
    return {form_id: await _followed(db, each) for form_id, each in finds.items()}


async def _followed(db: Database, each: dict[str, list[str]]) -> dict[str, list[str]]:
    keys = [partials.submit_key(one) for one in each["partials"]]
    became = await _keyed(db, "key", keys)
    before = became | await _keyed(db, "_id", each["responses"])
    known = each.get("submitted", [])
    return {
        "responses": _all(each["responses"], list(became)),
        "partials": [one for one in each["partials"] if one not in became.values()],
        "submitted": _all(known, sorted(before.values())),
    }


async def _keyed(db: Database, field: str, values: Sequence[str]) -> dict[str, str]:
    """Of responses that were half-filled ones before: what they were."""
    found: dict[str, str] = {}
    for first in range(0, len(values), _PIECE):
        query: Document = {field: {"$in": list(values[first : first + _PIECE])}}
        for row in await db.responses.find(query, {"key": 1}).to_list():
            if (key := row.get("key", "")).startswith(_KEY):
                found[row["_id"]] = key.removeprefix(_KEY)
    return found


def _all(some: list[str], more: list[str]) -> list[str]:
    return list(dict.fromkeys([*some, *more]))
