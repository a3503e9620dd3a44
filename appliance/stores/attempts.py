"""Whose migration a database that several machines may share is in: `upgrades`, `_id: "attempt"`.

    {_id: "attempt", id, owner, begun_at, applied: how many migrations there were, state}
    state: open ──▶ migrated, or put back

Contract: written, durably, between the backup and the first change; each migration of it is recorded with its
id. So a machine that was killed puts back what it has changed itself, and nothing that came from others; and
nobody works on what one has left half changed. Call everything but `check_none` with the lock (`applied`).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pymongo.database import Database

from appliance.clock import rfc3339, utc_now
from appliance.errors import CannotStart
from appliance.stores.applied import COLLECTION, at_work, read

_ROW: Final = {"_id": "attempt"}

State = Literal["open", "migrated", "put back"]


def begin(db: Database[Any], attempt: str, owner: str) -> None:
    """Raises PyMongoError."""
    row = {"id": attempt, "owner": owner, "begun_at": rfc3339(utc_now()), "applied": len(_applied(db))}
    db[COLLECTION].replace_one(_ROW, {**_ROW, **row, "state": "open"}, upsert=True)


def own(db: Database[Any], attempt: str, owner: str) -> None:
    """Another process goes on with it. Raises PyMongoError."""
    db[COLLECTION].update_one({**_ROW, "id": attempt}, {"$set": {"owner": owner}})


def end(db: Database[Any], attempt: str, state: State) -> None:
    """Raises PyMongoError."""
    db[COLLECTION].update_one({**_ROW, "id": attempt}, {"$set": {"state": state}})


def free(db: Database[Any], attempt: str) -> None:
    """Without the lock: the one that this attempt's process had goes. Call when it has died. Raises
    PyMongoError.
    """
    row = db[COLLECTION].find_one({**_ROW, "id": attempt})
    if row is not None:
        db[COLLECTION].delete_one({"_id": "lock", "owner": row["owner"]})


def check_none(db: Database[Any], owner: str = "") -> None:
    """`owner` has the lock. Raises CannotStart when one has not come to its end, PyMongoError."""
    row = db[COLLECTION].find_one(_ROW)
    if row is None or row["state"] != "open" or _is_moved(db, row):
        return
    lock = db[COLLECTION].find_one({"_id": "lock", "until": {"$gte": utc_now()}, "owner": {"$ne": owner}})
    if lock is not None:
        raise CannotStart(at_work(lock["owner"]))
    raise CannotStart(
        f"this database is half changed by a migration that {row['owner']} began at {row['begun_at']};"
        " next: start that appliance again, which puts back what was there; when it is lost: empty the"
        " database, restore a backup of before (docs/backup.md)"
    )


def find_state(db: Database[Any], attempt: str, level: int, owner: str, *, is_asked: bool) -> State | None:
    """Of this attempt, which began at that level; None: it has not changed anything yet. What others have
    done since is theirs, unless it `is_asked` to give that up. Raises CannotStart, PyMongoError.
    """
    row = db[COLLECTION].find_one(_ROW)
    if row is not None and row["id"] == attempt:
        if row["state"] == "open" and _is_moved(db, row) and not is_asked:
            raise CannotStart(_moved(read(db), level))
        state: State = row["state"]
        return state
    if row is not None and row["state"] == "open":
        check_none(db, owner)
    if not is_asked and (found := read(db)) != level:
        raise CannotStart(_moved(found, level))
    return None


def _is_moved(db: Database[Any], row: dict[str, Any]) -> bool:
    """Others, whose release knows nothing of attempts, have migrated it since."""
    return any(each.get("attempt") != row["id"] for each in _applied(db)[row["applied"] :])


def _moved(found: int, level: int) -> str:
    return f"another appliance has migrated it since: it is of level {found}, and was of {level}"


def _applied(db: Database[Any]) -> list[dict[str, Any]]:
    row = db[COLLECTION].find_one({"_id": "level"}) or {}
    return list(row.get("applied", []))
