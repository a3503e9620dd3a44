"""Migrations: what the data of an older release goes through before newer code works with it.

One is a module `m0002_what_it_does.py`; the number is the level that it leads to, one above the one before.
Its docstring says in its first line what changes, and it has

    def run(db: Database[Any], told: Told) -> None

Contract: forward only, and restartable: killed on any line, it is run again from its beginning over what it
has done so far. It changes the database and nothing else. Nothing else runs meanwhile, and a copy of the
data from before lies beside (`runtime.snapshots`), so it need not be undone. `told` hears how much is done
of how much, some times a second; it raises when the lock was lost. Indexes are no migration:
`stores.mongo.prepare` makes them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from pymongo.database import Database

from appliance import levels

Told = Callable[[int, int], None]


class Migration(NamedTuple):
    number: int
    """The level that it leads to."""
    name: str
    does: str
    run: Callable[[Database[Any], Told], None]


def load(step: levels.Step) -> Migration:
    """Raises whatever the import of its module does."""
    module = importlib.import_module(f"{__name__}.{step.module}")
    does = (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return Migration(step.number, step.name, does, cast(Any, module).run)
