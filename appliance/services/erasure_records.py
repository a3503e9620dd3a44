"""The records of erasures beside the database, a file each in `erasures/`: which responses were erased, by
their ids, which say nothing of anybody. They outlive the database, so that a restore of an older backup
erases anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from appliance import disk
from appliance.clock import parse_rfc3339, rfc3339, utc_now
from appliance.services import erasure_finding
from appliance.services.erasure_finding import Finds
from appliance.stores import erasures, mongo, partials, purges, reservations, users
from appliance.stores.mongo import Database, Document
from appliance.stores.purges import Why

_ENDING: Final = ".json"
_KEPT: Final = ("by", "fingerprint", "form_id", "account", "dry_run", "actor", "confirmed_by", "error")
_MOMENTS: Final = ("asked_at", "found_at")


class Record(msgspec.Struct, kw_only=True):
    erasure_id: str
    finds: Finds
    user_id: str | None
    """Of the account that was erased too."""
    about: dict[str, Any]
    """What the database has of it."""


def record(row: Document) -> Record:
    about = {name: row.get(name) for name in _KEPT}
    about |= {name: rfc3339(row[name]) for name in _MOMENTS}
    return Record(erasure_id=row["_id"], finds=row.get("finds", {}), user_id=row.get("user_id"), about=about)


def write(folder: Path, record: Record) -> None:
    """Before the first response goes. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    disk.write_durably(folder / f"{record.erasure_id}{_ENDING}", msgspec.json.encode(record))


def read_all(folder: Path) -> list[Record]:
    """In the order in which they were asked for. Raises OSError, ValueError for what is none of ours."""
    found = []
    for path in sorted(folder.glob(f"*{_ENDING}")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Record))
        except msgspec.DecodeError as fault:
            raise ValueError(f"{path} is no record of an erasure: {fault}") from None
    return sorted(found, key=lambda one: one.erasure_id)


def remove(folder: Path, erasure_id: str) -> None:
    """Of one by which nothing was erased."""
    (folder / f"{erasure_id}{_ENDING}").unlink(missing_ok=True)
    disk.sync_folder(folder)


class Applied(NamedTuple):
    responses: int
    is_without_admin: bool
    """The accounts that were erased were the only active admins."""


async def apply(db: Database, records: Sequence[Record]) -> Applied:
    """Erase anew, in a database that nobody else uses."""
    if not records:
        return Applied(0, is_without_admin=False)
    await mongo.prepare(db)
    await reservations.settle_abandoned(db, utc_now() + 2 * reservations.ABANDONED)  # nobody writes any more
    gone = 0
    for one in records:
        why = Why("erasure", one.about["confirmed_by"], one.erasure_id)
        for form_id, finds in one.finds.items():
            gone += await _purge(db, form_id, finds["responses"], why)
            for partial_id in (*finds["partials"], *finds.get("submitted", ())):
                await partials.end(db, partial_id, "withdrawn", utc_now())
        if one.user_id is not None:
            await users.erase(db, one.user_id, one.about["confirmed_by"], even_last=True)
        await erasures.put(db, _row(one))
    has_erased = any(one.user_id is not None for one in records)
    return Applied(gone, is_without_admin=has_erased and not await users.has_admin(db))


async def _purge(db: Database, form_id: str, ids: list[str], why: Why) -> int:
    gone = 0
    for first in range(0, len(ids), purges.PIECE):
        gone += (await purges.purge(db, form_id, ids[first : first + purges.PIECE], why)).gone
    return gone


def _row(one: Record) -> Document:
    moments = {name: parse_rfc3339(one.about[name]) for name in _MOMENTS}
    found = {"found": erasure_finding.counts(one.finds), "erased_at": utc_now()}
    return {"_id": one.erasure_id, "state": "erased", **one.about, **moments, **found}
