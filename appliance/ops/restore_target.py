"""The database of MONGODB_URI, while a backup is restored into it.

    it is empty ──▶ marked ──▶ filled, compared ──▶ the data folder is there ──▶ no mark

Contract: what holds anything is refused, unless the mark says that a restore has left it: then it is
emptied and begun anew. Killed anywhere, it is empty or marked, and `up` refuses what is marked
(`runtime.unfinished`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import pymongo
from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import PyMongoError

from appliance import addresses
from appliance.clock import new_id, rfc3339, utc_now
from appliance.errors import CannotStart
from appliance.runtime.unfinished import COLLECTION
from appliance.settings import Settings
from appliance.stores import dumps

_PATIENCE: Final = 60_000
_SAFE: Final = WriteConcern(w="majority", j=True)
"""Who has this knows that all that was written before is safe too."""


class Target:
    """`is_taken`: its data folder is there, so that it must stay, whatever happens."""

    def __init__(self, db: Database[Any], token: str) -> None:
        self.db, self._token = db, token
        self.is_taken = False

    def make_safe(self) -> None:
        """Before the data folder takes its place. Raises CannotStart, PyMongoError."""
        found = self._marks.update_one({"_id": "mark", "token": self._token}, {"$set": {"state": "whole"}})
        if not found.matched_count:
            raise CannotStart("another restore into this database has begun meanwhile; next: wait for it")

    def finish(self) -> None:
        """Now an appliance may run on it. Raises CannotStart."""
        self.is_taken = True
        try:
            self._marks.drop()
        except PyMongoError as fault:
            raise CannotStart(
                f"all was restored, but the database keeps its mark: {fault}; next: the same with --replace"
            ) from None

    def empty(self) -> None:
        """The mark goes last. Raises PyMongoError."""
        for name in dumps.collections(self.db):
            if name != COLLECTION:
                self.db.drop_collection(name)
        self._marks.drop()

    @property
    def _marks(self) -> Any:
        return self.db.get_collection(COLLECTION, write_concern=_SAFE)


@contextlib.contextmanager
def claimed(settings: Settings) -> Iterator[Target | None]:
    """None without a MONGODB_URI. Left by a fault before it `is_taken`, it is empty again.

    Raises CannotStart, PyMongoError.
    """
    if settings.mongodb_uri is None:
        yield None
        return
    with pymongo.MongoClient[dict[str, Any]](
        settings.mongodb_uri, appname="restore", timeoutMS=_PATIENCE
    ) as client:
        target = _claim(client.get_default_database(addresses.DATABASE))
        try:
            yield target
        except BaseException:
            if not target.is_taken:
                with contextlib.suppress(PyMongoError):  # the mark tells the next attempt
                    target.empty()
            raise


def _claim(db: Database[Any]) -> Target:
    """Raises CannotStart, PyMongoError."""
    token = new_id()
    target = Target(db, token)
    marks = db.get_collection(COLLECTION, write_concern=_SAFE)
    if marks.find_one({}) is not None:
        for name in dumps.collections(db):
            if name != COLLECTION:
                db.drop_collection(name)
    _check_empty(db)
    mark = {"_id": "mark", "token": token, "state": "filling", "begun_at": rfc3339(utc_now())}
    marks.replace_one({"_id": "mark"}, mark, upsert=True)
    try:
        _check_empty(db)  # an appliance may have begun on it in between
    except CannotStart:
        marks.drop()
        raise
    return target


def _check_empty(db: Database[Any]) -> None:
    for name in dumps.collections(db):
        if name != COLLECTION and db[name].find_one({}, {"_id": 1}) is not None:
            raise CannotStart(
                f"the database {db.name!r} of MONGODB_URI is not empty: it has {name};"
                " next: name another one there (the path of the URI), or empty it yourself"
            )
