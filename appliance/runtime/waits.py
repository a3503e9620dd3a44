"""Waiting for the stores, as long as it takes: a worker without them has nothing to do."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from appliance import llama_install
from appliance.addresses import DATABASE, Paths, mongodb_uri, read_line, redis_url
from appliance.errors import CannotStart
from appliance.settings import Settings

EVERY = 10.0
"""Seconds between two lines that say what is waited for."""


def for_stores(name: str, settings: Settings) -> None:
    wait_for(name, "redis", lambda: _redis_answers(settings))
    wait_for(name, "mongo", lambda: _mongo_answers(settings))


def for_models(name: str) -> None:
    """Until there is what runs them: minutes on a new machine, for ever where nothing builds it."""
    wait_for(name, "llama.cpp", llama_install.is_ready, every=3600.0, look=1.0)


def wait_for(
    name: str, what: str, answers: Callable[[], bool], *, every: float = EVERY, look: float = 0.1
) -> None:
    """No deadline: supervisord would only start us again. Says every `every` seconds what is missing."""
    started = said = time.monotonic()
    while not answers():
        now = time.monotonic()
        if now - said >= every:
            said = now
            print(f"{name} has waited {now - started:.0f} s for {what}", flush=True)
        time.sleep(look)


def opens(settings: Settings, name: str) -> bool:
    """Whether the server outside that MONGODB_URI or REDIS_URL names takes its user and password."""
    return _outside_mongo_opens(settings) if name == "MONGODB_URI" else _outside_redis_answers(settings)


def _redis_answers(settings: Settings) -> bool:
    if settings.redis_uri:
        return _outside_redis_answers(settings)
    paths = Paths(settings.data)
    try:
        return _ping_redis(str(paths.redis_socket), read_line(paths.redis_password))
    except (OSError, CannotStart):
        return False


def _ping_redis(address: str, password: str) -> bool:
    """Asked by hand (RESP inline commands): importing the client would cost a tenth of a second."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(2)
        door.connect(address)
        door.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        answer = b""
        while answer.count(b"\r\n") < 2 and (part := door.recv(256)):
            answer += part
    return answer.startswith(b"+OK\r\n+PONG")


def _outside_redis_answers(settings: Settings) -> bool:
    import redis

    try:
        with redis.Redis.from_url(redis_url(settings), socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _mongo_answers(settings: Settings) -> bool:
    if settings.mongodb_uri:
        return _outside_mongo_answers(settings)
    try:
        port = int(read_line(Paths(settings.data).mongo_port))
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except (OSError, CannotStart):
        return False


def _outside_mongo_answers(settings: Settings) -> bool:
    import pymongo
    from pymongo.errors import PyMongoError

    try:
        client: pymongo.MongoClient[dict[str, object]]
        with pymongo.MongoClient(mongodb_uri(settings), serverSelectionTimeoutMS=2000) as client:
            return bool(client.admin.command("ping")["ok"])
    except PyMongoError:
        return False


def _outside_mongo_opens(settings: Settings) -> bool:
    """A ping needs nobody to be known."""
    import pymongo
    from pymongo.errors import PyMongoError

    try:
        client: pymongo.MongoClient[dict[str, object]]
        with pymongo.MongoClient(mongodb_uri(settings), serverSelectionTimeoutMS=5000) as client:
            client.get_default_database(DATABASE).durable.find_one({"_id": "transactions"})
            return True
    except PyMongoError:
        return False
