"""The connection to MongoDB: one client a process, every write journaled, every request's work bounded.

`j=true` on each write is what makes 'acknowledged' mean 'on disk': without it the embedded server lost
208 of 12,751 acknowledged writes over kill -9, with it none.
"""

from __future__ import annotations

import errno
from typing import Any

from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.int64 import Int64
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from appliance import addresses
from appliance.errors import Conflict, Problem, Unavailable
from appliance.settings import Settings
from appliance.stores.indexes import INDEXES

Document = dict[str, Any]
AWARE: CodecOptions[Document] = CodecOptions(tz_aware=True)
"""How raw documents are decoded. Whole numbers of 64 bits stay of the driver's own type, which costs nothing;
whoever writes them as JSON needs `enc_hook=int`.
"""
NAIVE: CodecOptions[Document] = CodecOptions(tz_aware=False)
"""The same with moments that are UTC and do not say so: a third of the time of decoding is saying it."""
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]

DEADLINE = 4.0
"""Seconds that one request may spend in MongoDB: its 503 must be out within 5."""

BUILDING = 3600.0
"""Seconds that building the indexes may take: 3 s for one of 100,000 responses, and there may be millions."""

_DISK_FULL = {14031, errno.ENOSPC}
_EMBEDDED_FAILURE = 1
"""InternalError: all that the embedded server says when its disk is full or its files cannot be read."""
_CONFLICT = 112
"""WriteConflict: two transactions met on one document; the caller may simply try again."""


class _WholeNumber(TypeDecoder):
    """Of 64 bits, as `int`: no JSON encoder takes the driver's own type, nor does a check for `int`."""

    bson_type = Int64

    def transform_bson(self, value: Int64) -> int:
        return int(value)


def connect(settings: Settings) -> AsyncMongoClient[Document]:
    """A client that connects at its first use: the API starts without a database, and answers 503."""
    return AsyncMongoClient(
        addresses.mongodb_uri(settings),
        appname="appliance",
        journal=True,
        maxPoolSize=10,
        timeoutMS=int(DEADLINE * 1000),
        tz_aware=True,
        type_registry=TypeRegistry([_WholeNumber()]),
    )


def database(client: AsyncMongoClient[Document]) -> Database:
    """The database the URI names, else `appliance`."""
    return client.get_default_database(addresses.DATABASE)


def as_problem(error: PyMongoError) -> Problem | None:
    """The problem a caller should see, None for what is our own mistake."""
    if error.timeout or isinstance(error, ConnectionFailure):
        return Unavailable(
            "The database does not answer; nothing was changed unless it says so when asked again."
        )
    if isinstance(error, OperationFailure) and (error.code in _DISK_FULL or "No space left" in str(error)):
        return Unavailable("The disk is full; nothing was stored.", retry_after=30)
    if isinstance(error, OperationFailure) and error.code == _EMBEDDED_FAILURE:
        return Unavailable("The database cannot work at this moment; ask again.", retry_after=10)
    if isinstance(error, OperationFailure) and error.code == _CONFLICT:
        return Conflict("Somebody changed the same thing at this moment; try again.")
    return None


async def prepare(db: Database) -> None:
    """Create the indexes. Safe to run at each start and by several processes at once. It takes as long as
    `BUILDING` when there are documents without."""
    for index in INDEXES:
        await db[index.collection].create_index(index.specification, **index.options)


async def make_durable(db: Database) -> None:
    """Call after each transaction: the embedded server commits one without syncing its journal, whatever the
    write concern, and a kill -9 then loses it. The next journaled write syncs all that came before.
    """
    await db.durable.update_one({"_id": "transactions"}, {"$inc": {"count": 1}}, upsert=True)


def unsynced(collection: Collection) -> Collection:
    """For writes that are simply done again when they are lost: they need not wait for the disk."""
    return collection.with_options(write_concern=WriteConcern(w=1, j=False))


def told(fault: PyMongoError) -> str:
    """For an operator: without the driver's view of the topology, which says it at length."""
    first = str(fault).partition(" (configured timeouts")[0].partition(", Timeout:")[0]
    return f"the database does not answer ({first}); next: ./scripts/appliance status"
