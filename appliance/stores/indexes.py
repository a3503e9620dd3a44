"""Every index of the database in one table: `mongo.prepare` makes them, `doctor` looks whether they are
there.

One that is missing shows late and badly: what is unique is so no longer, and what took a millisecond takes a
look at every document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

Document = dict[str, Any]

_OPTIONS: Final = ("unique", "sparse", "expireAfterSeconds", "partialFilterExpression")
_NO_COLLECTION: Final = 26
"""NamespaceNotFound: nothing was ever written there, and no index either."""


class Index(NamedTuple):
    collection: str
    keys: tuple[str, ...]
    options: dict[str, Any]

    @property
    def name(self) -> str:
        """As MongoDB calls it by itself, and so in all data folders that there are."""
        return "_".join(f"{key}_1" for key in self.keys)

    @property
    def specification(self) -> list[tuple[str, int]]:
        """As `create_index` takes it."""
        return [(key, 1) for key in self.keys]


def _index(collection: str, *keys: str, **options: Any) -> Index:
    return Index(collection, keys, options)


_UNIQUE: Final = {"unique": True}
_SPARSE: Final = {"sparse": True}

INDEXES: Final = (
    _index("users", "username", **_UNIQUE),
    _index("users", "number"),
    _index("users", "roles"),
    _index("ended_sessions", "expires_at", expireAfterSeconds=0),
    _index("api_keys", "number", **_UNIQUE),
    _index("api_keys", "user_id"),
    _index("forms", "slug", **_UNIQUE),
    _index("forms", "number", **_UNIQUE),
    _index("forms", "updated_at"),
    _index("form_versions", "form_id", "version", **_UNIQUE),
    _index("idempotency", "created_at", expireAfterSeconds=24 * 3600),
    _index("form_counters", "open.at"),
    _index("form_counters", "unembedded", **_SPARSE),
    _index("form_counters", "unlaked", **_SPARSE),
    _index("audit", "number", **_UNIQUE),
    _index("links", "token_hash", **_UNIQUE),
    _index("links", "form_id", "number", **_UNIQUE),
    _index("response_history", "response_id", "revision", **_UNIQUE),
    _index("response_history", "replaced_at"),
    _index("outbox", "state", "created_at"),
    _index("dead_letters", "number", **_UNIQUE),
    _index("alerts", "number", **_UNIQUE),
    _index("alerts", "open", **_SPARSE),
    _index("alerts", "state"),
    _index("webhooks", "owner", "number", **_UNIQUE),
    _index("webhooks", "form_id"),
    _index("webhooks", "status"),
    _index("webhook_deliveries", "webhook_id", "number", **_UNIQUE),
    _index("webhook_deliveries", "state", "next_attempt_at"),
    _index("webhook_deliveries", "created_at"),
    _index("webhook_deliveries", "about", **_SPARSE),
    _index("purged", "at"),
    _index("purged", "untidy", **_SPARSE),
    _index("form_storage", "at", **_SPARSE),
    _index("files", "state", "check_at"),
    _index("files", "response_id", **_SPARSE),
    _index("files", "form_id"),
    _index("files", "origin", **_SPARSE),
    _index("partials", "form_id"),
    _index("partials", "files", **_SPARSE),
    _index("partials", "origin", **_SPARSE),
    _index("partials", "state", "expires_at"),
    _index("partials", "state", "updated_at"),
    _index("partials", "noted_at", **_SPARSE),
    _index("exports", "owner", "expires_at"),
    _index("exports", "expires_at"),
    _index("erasures", "number"),
    _index("ai_outdated", "form_id"),
    _index("lake_runs", "state"),
    _index("ai_results", "form_id", "seq", **_UNIQUE),
    _index("ai_results", "changed_at", **_SPARSE),
    _index("responses", "form_id", "seq", **_UNIQUE),
    _index("responses", "form_id", "kv", "seq"),
    # Not (form_id, key) and partial: the embedded server keeps such an index unique but never reads by it.
    _index("responses", "key", unique=True, sparse=True),
    _index(
        "responses", "form_id", "person", unique=True, partialFilterExpression={"person": {"$exists": True}}
    ),
    _index("responses", "person", **_SPARSE),
    _index("responses", "files", unique=True, sparse=True),
    _index("responses", "events.state", "created_at", partialFilterExpression={"events.state": "pending"}),
)


async def faults(db: AsyncDatabase[Document]) -> list[str]:
    """What is missing, or is another than it should be; each with the collection. Nothing is changed."""
    found: dict[str, dict[str, Document]] = {}
    for collection in dict.fromkeys(index.collection for index in INDEXES):
        found[collection] = {each["name"]: each for each in await _listed(db, collection)}
    return [fault for index in INDEXES for fault in _judge(index, found[index.collection])]


def _judge(wanted: Index, found: dict[str, Document]) -> Iterator[str]:
    name = f"{wanted.collection}.{wanted.name}"
    there = found.get(wanted.name)
    if there is None:
        yield f"{name} is missing"
        return
    differing = [option for option in _OPTIONS if _told(there, option) != _told(wanted.options, option)]
    if list(there["key"].items()) != wanted.specification:
        differing.insert(0, "keys")
    if differing:
        yield f"{name} is another ({', '.join(differing)})"


def _told(options: Mapping[str, Any], name: str) -> Any:
    """What is off may be left out; 0 seconds are not."""
    value = options.get(name)
    return None if value is False else value


async def _listed(db: AsyncDatabase[Document], collection: str) -> list[Document]:
    try:
        return [dict(each) async for each in await db[collection].list_indexes()]
    except OperationFailure as fault:
        if fault.code == _NO_COLLECTION:
            return []
        raise
