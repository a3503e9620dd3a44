"""Which migrations the database has been through: `upgrades`.

`{_id: "level", number, applied: [{number, name, version, at}]}`, and the lock of whoever changes it: `{_id:
"lock", owner, until}`. A database may be shared by several machines, so their data folders' locks are not
enough; one that is killed loses the lock by itself.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from pymongo.database import Database as Sync
from pymongo.errors import DuplicateKeyError, PyMongoError

from appliance import __version__, levels
from appliance.clock import utc_now
from appliance.errors import CannotStart
from appliance.stores.mongo import Database

COLLECTION: Final = "upgrades"
HELD: Final = dt.timedelta(seconds=60)
"""For how long a lock holds that nobody renews."""
_RENEWED: Final = 10.0


async def adopt(db: Database) -> int:
    """The level; what has none gets one: data of before levels the first, a new database the code's."""
    found = await db[COLLECTION].find_one({"_id": "level"})
    if found is None:
        is_new = await db.users.find_one({}) is None
        await db[COLLECTION].update_one({"_id": "level"}, _first(is_new=is_new), upsert=True)
        found = await db[COLLECTION].find_one({"_id": "level"})
    return int(found["number"]) if found else levels.BASELINE


def read(db: Sync[Any]) -> int:
    """As `adopt`, of a database that nobody else works with. Raises PyMongoError."""
    rows = db[COLLECTION]
    found = rows.find_one({"_id": "level"})
    if found is None:
        rows.update_one({"_id": "level"}, _first(is_new=db.users.find_one({}) is None), upsert=True)
        found = rows.find_one({"_id": "level"})
    return int(found["number"]) if found else levels.BASELINE


def at_work(owner: str) -> str:
    """What to tell whoever wants the lock that this one has."""
    return (
        f"{owner} is at work on this database, and says so again each {_RENEWED:.0f} s;"
        f" next: wait for its end, or {HELD.seconds} s when it was killed"
    )


def record(db: Sync[Any], step: levels.Step, attempt: str = "") -> None:
    """The data has this level now; in which attempt (`attempts`) it came. Raises PyMongoError."""
    told = {"number": step.number, "name": step.name, "version": __version__, "at": utc_now()}
    told |= {"attempt": attempt} if attempt else {}
    db[COLLECTION].update_one(
        {"_id": "level"}, {"$set": {"number": step.number}, "$push": {"applied": told}}, upsert=True
    )


def _first(*, is_new: bool) -> dict[str, Any]:
    number = levels.of_code() if is_new else levels.BASELINE
    told = {
        "number": number,
        "name": "new" if is_new else "baseline",
        "version": __version__,
        "at": utc_now(),
    }
    return {"$setOnInsert": {"number": number, "applied": [told]}}


class Lock:
    """Held by this process, until it is left or nobody renews it."""

    def __init__(self, db: Sync[Any], owner: str) -> None:
        self._rows, self._owner = db[COLLECTION], owner
        self._over = threading.Event()
        self._fault = ""

    def check(self) -> None:
        """Raises CannotStart when somebody else may have it by now."""
        if self._fault:
            raise CannotStart(f"the database's lock was lost ({self._fault}); next: the same again")

    def take(self) -> None:
        """Raises CannotStart, which names who has it, and PyMongoError."""
        now = utc_now()
        try:
            self._rows.update_one(
                {"_id": "lock", "until": {"$lt": now}},
                {"$set": {"owner": self._owner, "until": now + HELD}},
                upsert=True,
            )
        except DuplicateKeyError:
            found = self._rows.find_one({"_id": "lock"}) or {}
            raise CannotStart(at_work(found.get("owner", "somebody"))) from None

    def keep(self) -> None:
        """In a thread: renew it until it is released."""
        last = time.monotonic()
        while not self._over.wait(_RENEWED):
            try:
                until = {"$set": {"until": utc_now() + HELD}}
                found = self._rows.update_one({"_id": "lock", "owner": self._owner}, until)
                if not found.matched_count:
                    self._fault = "another one has taken it"
                    return
                last = time.monotonic()
            except PyMongoError as fault:
                if time.monotonic() - last > HELD.total_seconds() / 2:
                    self._fault = str(fault)[:100]
                    return

    def release(self) -> None:
        self._over.set()
        with contextlib.suppress(PyMongoError):
            self._rows.delete_one({"_id": "lock", "owner": self._owner})


@contextlib.contextmanager
def locked(db: Sync[Any], owner: str) -> Iterator[Lock]:
    """Nobody else changes the level meanwhile. Raises CannotStart, PyMongoError."""
    lock = Lock(db, owner)
    lock.take()
    keeping = threading.Thread(target=lock.keep, name="lock", daemon=True)
    keeping.start()
    try:
        yield lock
    finally:
        lock.release()
        keeping.join()
