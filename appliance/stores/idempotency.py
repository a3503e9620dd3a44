"""First answers of creating writes, kept for 24 h (a TTL index), written in the transaction of the write.

A submission keeps its key in the response itself, for as long as the response lives; see `responses`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from appliance.clock import utc_now
from appliance.errors import Invalid
from appliance.stores.mongo import Database, Document


class Key(NamedTuple):
    """An Idempotency-Key in its scope, and what was asked under it."""

    id: str
    body_hash: str
    others: tuple[str, ...] = ()
    """What the same body was remembered as before a key was replaced."""


def body_hash(body: Any) -> str:
    """Equal for bodies that are equal as JSON, however they were spaced or ordered."""
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()


def is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: to Python, true is 1."""
    return body_hash(one) == body_hash(other)


def scoped(caller: str, path: str, key: str, body: Any, others: Iterable[Any] = ()) -> Key:
    digest = hashlib.sha256("\0".join((caller, path, key)).encode()).hexdigest()
    return Key(digest, body_hash(body), tuple(map(body_hash, others)))


async def find(db: Database, key: Key) -> Document | None:
    """The first answer to this key. Raises Invalid when it was given for another body."""
    row = await db.idempotency.find_one({"_id": key.id})
    if row is None:
        return None
    if row["body_hash"] not in (key.body_hash, *key.others):
        raise Invalid("This Idempotency-Key was used for another body; take a new key for a new request.")
    answer: Document = row["answer"]
    return answer


async def remember(db: Database, session: Any, key: Key, answer: Document) -> None:
    """Raises DuplicateKeyError when another request with this key was first: its transaction won."""
    row = {"_id": key.id, "body_hash": key.body_hash, "answer": answer, "created_at": utc_now()}
    await db.idempotency.insert_one(row, session=session)
