"""The mark in a database outside, for as long as a restore fills it: nothing may run on what there is."""

from __future__ import annotations

from typing import Any, Final

from appliance.addresses import DATABASE
from appliance.errors import CannotStart
from appliance.settings import Settings

COLLECTION: Final = "restoring"
_PATIENCE: Final = 3_000
"""Milliseconds. One that is away is waited for by who needs it."""


def check(settings: Settings) -> None:
    """Raises CannotStart when a restore into MONGODB_URI has not come to its end."""
    if settings.mongodb_uri is None:
        return
    import pymongo  # 9 MiB, for as long as the appliance runs: not where the database is our own
    from pymongo.errors import PyMongoError

    try:
        with pymongo.MongoClient[dict[str, Any]](settings.mongodb_uri, timeoutMS=_PATIENCE) as client:
            mark = client.get_default_database(DATABASE)[COLLECTION].find_one({})
    except PyMongoError:
        return
    if mark is not None:
        raise CannotStart(
            f"MONGODB_URI: a restore into this database, begun {mark['begun_at']}, has not come to its end;"
            " next: wait for it, or the same again: ./scripts/appliance backup restore FILE --replace"
        )
