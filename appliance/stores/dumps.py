"""All of the database as it was at one moment, and back again. Synchronous: it runs in a process of its own.

The moment is that of a transaction (SecantusDB, where one lasts as long as it is used) or of a snapshot read
(mongod, whose reads of that kind see the moment of the first one for five minutes and longer, see
`minSnapshotHistoryWindowInSeconds`). Measured: with SecantusDB, snapshot reads see what came later.

What grows with the responses is read in windows over its index: for a query of a whole collection SecantusDB
reads all of it before it answers, and no write meanwhile (100,000 responses: 1 s; a window: 20 ms).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.database import Database

from appliance.stores.indexes import INDEXES

Raw = RawBSONDocument
Client = MongoClient[dict[str, Any]]
RAW: Final[CodecOptions[Raw]] = CodecOptions(document_class=RawBSONDocument)
_AT_ONCE: Final = 1000
_READ_BY: Final = {"responses": ("form_id", "seq"), "ai_results": ("form_id", "seq"), "audit": ("number",)}
"""What is read in windows, and the index that it takes: without, each window is a look at all there is."""
_WINDOW: Final = 500
"""Numbers that one query asks for."""
_FORMS: Final = 10
"""Small forms that one query asks for: it takes longer with more of them than for each alone."""
_MODULUS: Final = 2**256


class Tally(NamedTuple):
    """Of the documents of a collection, in whatever order."""

    documents: int
    digest: str
    """The sum of the SHA-256 of each, as hexadecimal digits."""


EMPTY: Final = Tally(0, f"{0:064x}")


class Counting:
    """Makes a tally."""

    def __init__(self) -> None:
        self.documents = self._sum = 0

    def add(self, raw: bytes) -> None:
        """BSON documents, one after the other."""
        for document in bson.decode_all(raw, RAW):
            self.documents += 1
            self._sum += int.from_bytes(hashlib.sha256(document.raw).digest(), "big")

    def tally(self) -> Tally:
        return Tally(self.documents, f"{self._sum % _MODULUS:064x}")


@contextlib.contextmanager
def moment(client: Client, *, is_embedded: bool) -> Iterator[ClientSession]:
    """What is read in the session is of one moment, however long it takes. Raises PyMongoError."""
    with client.start_session(snapshot=not is_embedded) as session:
        if is_embedded:
            session.start_transaction()
        yield session  # ended with the session: nothing was written in it


def collections(db: Database[Any]) -> list[str]:
    """In their order."""
    return sorted(name for name in db.list_collection_names() if not name.startswith("system."))


def about(db: Database[Any], session: ClientSession | None) -> int:
    """How many documents there are of what grows with the responses, at most."""
    return sum(last for _, last in _numbered(db, session))


def parts(db: Database[Any], name: str, session: ClientSession | None) -> Iterator[bytes]:
    """Some documents at a time, as BSON. Raises PyMongoError."""
    for query in _queries(db, name, session):
        yield from db[name].find_raw_batches(query, session=session, batch_size=_AT_ONCE)


def _queries(db: Database[Any], name: str, session: ClientSession | None) -> Iterator[dict[str, Any]]:
    """That together find each document once."""
    if name in ("responses", "ai_results"):
        yield from _of_forms(_numbered(db, session))
    elif name == "audit":
        head = db.form_counters.find_one({"_id": "audit"}, session=session)
        for low in range(0, head["number"] + 1 if head else 0, _WINDOW):
            yield {"number": {"$gte": low, "$lt": low + _WINDOW}}
    else:
        yield {}


def _numbered(db: Database[Any], session: ClientSession | None) -> list[tuple[str, int]]:
    """The forms that have had responses, each with the last one's number. A form's counters go after its
    last response (`form_purges`), so there is none of another form.
    """
    rows = db.form_counters.find({}, {"seq": 1}, session=session)
    return sorted((row["_id"], row["seq"]) for row in rows if row.get("seq"))


def _of_forms(numbered: Iterable[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    few: list[str] = []
    for form_id, last in numbered:
        if last > _WINDOW // _FORMS:
            for low in range(0, last + 1, _WINDOW):
                yield {"form_id": form_id, "seq": {"$gte": low, "$lt": low + _WINDOW}}
            continue
        few.append(form_id)
        if len(few) == _FORMS:
            yield {"form_id": {"$in": few}}
            few = []
    if few:
        yield {"form_id": {"$in": few}}


def tally(db: Database[Any], name: str) -> Tally:
    """Of what is there now."""
    counting = Counting()
    for raw in parts(db, name, None):
        counting.add(raw)
    return counting.tally()


def insert(db: Database[Any], name: str, raw: bytes, *, is_kept: bool = True) -> int:
    """Documents as they are; how many. Unless they are kept it waits for no disk. Raises PyMongoError."""
    rows = db.get_collection(name, codec_options=RAW, write_concern=WriteConcern(w=1, j=is_kept))
    documents = bson.decode_all(raw, RAW)
    for first in range(0, len(documents), _AT_ONCE):
        rows.insert_many(documents[first : first + _AT_ONCE])
    return len(documents)


def differing(db: Database[Any], wanted: Mapping[str, Tally], *, without: str = "") -> list[str]:
    """The collections that hold something else, or should not be there; nobody looks at the one `without`.
    What was just filled has no indexes yet: those that it is read by are made.
    """
    for index in INDEXES:
        if _READ_BY.get(index.collection) == index.keys:
            db[index.collection].create_index(index.specification, **index.options)
    names = {*wanted, *collections(db)} - {without}
    return [name for name in sorted(names) if tally(db, name) != wanted.get(name, EMPTY)]
