"""The passwords of the embedded MongoDB and Redis, replaced while everything runs.

    a new one beside ─▶ the server takes both ─▶ the file holds the new one ─▶ reload ─▶ the old one goes

Contract: killed at any line, the server takes whatever a client holds; the next rotation goes on from there,
and a start ends it (`secret_files`, `runtime.mongo`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Protocol

import pymongo
import redis
from pymongo.errors import PyMongoError

from appliance import addresses, disk
from appliance.addresses import DATABASE, DATABASE_OWNER, DATABASE_USER, Paths, read_line, user_of
from appliance.errors import CannotStart
from appliance.ops import parent, reload
from appliance.runtime import mongo
from appliance.secret_files import Pair
from appliance.settings import Settings

PATIENCE = 30.0
"""Seconds that a server may be away: the guardian may be starting it again."""


class Server(Protocol):
    name: str
    pairs: list[Pair]

    def admit(self) -> None:
        """Have the server take what the files name, besides what it takes. May be repeated."""

    def forget(self) -> None:
        """Have it take nothing but the password in use. May be repeated."""


class RedisServer:
    name = "redis"

    def __init__(self, chosen: Settings) -> None:
        self._chosen = chosen
        self.pairs = [Pair(Paths(chosen.data).redis_password)]

    def admit(self) -> None:
        self._set([f"#{_hash(password)}" for password in self.pairs[0].accepted()])

    def forget(self) -> None:
        self._set(["resetpass", f"#{_hash(read_line(self.pairs[0].path))}"])

    def _set(self, rules: list[str]) -> None:
        def tell() -> None:
            with redis.Redis.from_url(addresses.redis_url(self._chosen), socket_timeout=5) as client:
                client.execute_command("ACL", "SETUSER", "default", *rules)

        _again(self.name, tell, redis.RedisError)


class MongoServer:
    """One user works with the data, another makes users; both are replaced."""

    name = "database"

    def __init__(self, chosen: Settings) -> None:
        self._chosen, self._paths = chosen, Paths(chosen.data)
        self.pairs = [Pair(self._paths.mongo_password), Pair(self._paths.mongo_owner)]

    def admit(self) -> None:
        self._reconcile(mongo.users(self._paths))

    def forget(self) -> None:
        kinds = zip((DATABASE_USER, DATABASE_OWNER), self.pairs, strict=True)
        wanted = {
            user_of(kind, password): password for kind, pair in kinds if (password := read_line(pair.path))
        }
        self._reconcile(wanted)
        mongo.mark_done(self._paths, wanted)

    def _reconcile(self, wanted: dict[str, str]) -> None:
        def tell() -> None:
            with self._as_owner() as client:
                mongo.reconcile(client, wanted)
            with _connected(addresses.mongodb_uri(self._chosen)) as client:
                # What came before a journaled write is on the disk with it.
                durable = client[DATABASE].with_options(write_concern=pymongo.WriteConcern(j=True)).durable
                durable.update_one({"_id": "transactions"}, {"$inc": {"count": 1}}, upsert=True)

        _again(self.name, tell, PyMongoError)

    @contextmanager
    def _as_owner(self) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
        passwords = self.pairs[1].accepted()
        for password in passwords:
            uri = addresses.embedded_uri(self._paths, user_of(DATABASE_OWNER, password), password)
            with _connected(uri) as client:
                try:
                    client.admin.command("usersInfo", 1)
                except pymongo.errors.OperationFailure:
                    if password == passwords[-1]:
                        raise
                    continue
                yield client
                return


def replace(chosen: Settings, names: list[str], say: Callable[[str], None]) -> bool:
    """Those of `names`, with one reload for all; whether it came to its end. Raises CannotStart."""
    paths = Paths(chosen.data)
    with parent.hold(paths) as pid:
        if pid is None:  # and nothing can start until this is left
            servers = _servers(chosen, names)
            for pair in (pair for server in servers for pair in server.pairs):
                pair.prepare()
                pair.settle()
            for server in servers:
                say(f"{server.name}: the new password is used from the next start on")
            return True
    with disk.only_one(paths.backups) as alone:
        if not alone:
            raise CannotStart("a backup is being made, which holds the old password; next: when it has ended")
        return _replace_running(_servers(chosen, names), say)


def _replace_running(servers: list[Server], say: Callable[[str], None]) -> bool:
    for server in servers:
        for pair in server.pairs:
            pair.prepare()
        server.admit()
        for pair in server.pairs:
            pair.swap()
        say(f"{server.name}: takes a new password besides the old one")
    if reload.run() != 0:
        say("the old passwords go on being taken; next: the same command again")
        return False
    for server in servers:
        server.forget()
        for pair in server.pairs:
            pair.drop()
        server.forget()  # one that was started again in between has read the old one too
        say(f"{server.name}: takes the new password only")
    return True


def _servers(chosen: Settings, names: list[str]) -> list[Server]:
    known: dict[str, Callable[[Settings], Server]] = {"database": MongoServer, "redis": RedisServer}
    return [known[name](chosen) for name in names]


def _connected(uri: str) -> pymongo.MongoClient[dict[str, Any]]:
    return pymongo.MongoClient(uri, appname="rotation", timeoutMS=10_000, serverSelectionTimeoutMS=5_000)


def _again(name: str, tell: Callable[[], None], faults: type[Exception]) -> None:
    """Raises CannotStart."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            tell()
        except faults as fault:
            if time.monotonic() > until:
                raise CannotStart(
                    f"{name}: {str(fault)[:200]}; both passwords are taken meanwhile;"
                    f" next: ./scripts/appliance status, then: ./scripts/appliance secrets rotate {name}"
                ) from None
            time.sleep(0.5)
        else:
            return


def _hash(password: str) -> str:
    return sha256(password.encode()).hexdigest()
