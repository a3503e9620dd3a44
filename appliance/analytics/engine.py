"""DuckDB in this process, with no more than it needs: bounded memory, no network, no other files.

Measured: to switch external access off alone would shut out the lake too, so its folder is allowed first, and
the configuration locked last.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

import duckdb

from appliance.analytics.hot import text

MEMORY: Final = "256MB"
Connection = duckdb.DuckDBPyConnection
TooLarge = duckdb.OutOfMemoryException
Fault = duckdb.Error


class TooSlow(Exception):
    """The statement was broken off at its deadline."""


@contextmanager
def opened(
    folder: Path, *, time_zone: str = "UTC", memory: str = MEMORY, threads: int = 1
) -> Iterator[Connection]:
    """A database in memory that can read and write within `folder` alone. What does not fit into `memory` is
    put into `folder/.spill` meanwhile.
    """
    connection = _confined(folder, memory, threads)
    try:
        connection.execute(f"SET TimeZone = {text(time_zone)}")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


@contextmanager
def at_hand(folder: Path, *, time_zone: str = "UTC") -> Iterator[Connection]:
    """The same for statements of our own: a database that the process keeps, for to open one takes 22 ms of a
    processor. Whoever asks has views and a time zone of their own in it, but not settings: none is locked.
    """
    connection = _kept(folder).cursor()
    try:
        connection.execute(f"SET TimeZone = {text(time_zone)}")
        yield connection
    finally:
        connection.close()


@lru_cache(1)
def _kept(folder: Path) -> Connection:
    return _confined(folder, MEMORY, 1)


def _confined(folder: Path, memory: str, threads: int) -> Connection:
    connection = duckdb.connect(
        ":memory:",
        config={"threads": threads, "memory_limit": memory, "temp_directory": str(folder / ".spill")},
    )
    connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    connection.execute("SET enable_external_file_cache = false")  # the kernel has them
    connection.execute(f"SET allowed_directories = [{text(str(folder) + '/')}]")
    connection.execute("SET enable_external_access = false")
    return connection


@contextmanager
def deadline(connection: Connection, seconds: float) -> Iterator[None]:
    """Break off what still runs after so long. Raises TooSlow."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise TooSlow(f"It needed longer than {seconds:g} s.") from None
    finally:
        timer.cancel()
