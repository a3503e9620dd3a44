"""Where a word may lie: every document of the database, every key of Redis, the lake, and the files that
people gave or are given.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import duckdb
import redis

from appliance import addresses
from appliance.analytics.lake import Lake
from appliance.stores import dumps
from tests.running import Running


def of(appliance: Running, word: str) -> set[str]:
    """The places that have it: names of collections, keys, tables and files."""
    needle = word.encode()
    found = (_database(appliance, needle), _redis(appliance, needle), _lake(appliance, word))
    return {place for places in (*found, _files(appliance, needle)) for place in places}


def _database(appliance: Running, needle: bytes) -> Iterator[str]:
    with appliance.database() as client:
        db = client.get_default_database("appliance")
        for name in dumps.collections(db):
            batches: Any = db[name].find_raw_batches({})  # the driver's types say that they are decoded
            if any(needle in raw for raw in batches):
                yield f"database {name}"


def _redis(appliance: Running, needle: bytes) -> Iterator[str]:
    """By DUMP, which compresses; so by what each type is read with."""
    reading: dict[Any, Any] = {
        b"string": lambda client, key: [client.get(key)],
        b"hash": lambda client, key: [part for pair in client.hgetall(key).items() for part in pair],
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"set": lambda client, key: client.smembers(key),
        b"zset": lambda client, key: client.zrange(key, 0, -1),
        b"stream": lambda client, key: [repr(client.xrange(key)).encode()],
    }
    with redis.Redis.from_url(addresses.redis_url(appliance.settings)) as client:
        for key in client.scan_iter("*"):
            kind = client.type(key)
            if kind == b"none":
                continue
            if needle in key or any(needle in (part or b"") for part in reading[kind](client, key)):
                yield f"redis {key.decode(errors='replace')}"


def _lake(appliance: Running, word: str) -> Iterator[str]:
    lake = Lake(appliance.paths.lake)
    with duckdb.connect() as connection:
        for path in sorted(lake.folder.rglob("*.parquet")):
            try:
                told = connection.execute(f"SELECT * FROM read_parquet('{path}')").fetchall()
            except duckdb.IOException:
                if path.exists():
                    raise
                continue  # a run has replaced it at this moment
            if word in json.dumps(told, default=str, ensure_ascii=False):
                yield f"lake {path.relative_to(lake.folder)}"


def _files(appliance: Running, needle: bytes) -> Iterator[str]:
    for folder in (
        appliance.paths.files,
        appliance.paths.exports,
        appliance.paths.imports,
        appliance.paths.erasures,
    ):
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            content = path.read_bytes()
            if needle in path.name.encode() or needle in content or needle in _unpacked(content):
                yield f"file {path.relative_to(appliance.paths.data)}"


def _unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else b""
