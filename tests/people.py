"""The cast: alice owns, bob is a member, charlie is a stranger; admin is admin."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Self

import httpx
from pymongo import AsyncMongoClient

from appliance import addresses
from appliance.security.passwords import Passwords
from appliance.stores import mongo, users
from tests.running import Running

PASSWORD = "correct horse battery staple"


@dataclass(slots=True)
class People:
    admin: httpx.Client
    alice: httpx.Client
    bob: httpx.Client
    charlie: httpx.Client
    nobody: httpx.Client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for client in (self.admin, self.alice, self.bob, self.charlie, self.nobody):
            client.close()


def gather(appliance: Running) -> People:
    """Create the accounts and sign everybody in."""
    asyncio.run(_create(addresses.mongodb_uri(appliance.settings)))
    named = {name: appliance.client(appliance.login(name, PASSWORD)) for name in ("alice", "bob", "charlie")}
    return People(admin=appliance.client(appliance.login()), nobody=appliance.client(), **named)


async def _create(uri: str) -> None:
    passwords = Passwords()
    async with AsyncMongoClient[dict[str, Any]](uri, journal=True, tz_aware=True) as client:
        db = mongo.database(client)
        for name, role in (("alice", "editor"), ("bob", "viewer"), ("charlie", "editor")):
            await users.ensure(db, name, await passwords.hash(PASSWORD), [role])
    passwords.close()


def share(appliance: Running, form_id: str, username: str, level: str) -> None:
    """Until the API has shares: straight into the form."""
    with appliance.database() as client:
        db = client.get_default_database("appliance")
        user = db.users.find_one({"username": username})
        assert user is not None
        entry = {"user_id": user["_id"], "level": level}
        done = db.forms.update_one({"_id": form_id}, {"$push": {"shares": entry}, "$inc": {"rev": 1}})
        form = db.forms.find_one({"_id": form_id})
        assert done.modified_count == 1 and form is not None
        db.form_counters.update_one({"_id": form_id}, {"$set": {"gate": form["rev"]}})
