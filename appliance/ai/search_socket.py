"""How the API asks for a search by meaning: a line of JSON each way, over a socket of the data folder.

Not a task of the queue: whoever searches waits for the answer, it takes milliseconds, and a task would be
remembered for an hour. The searcher (`tasks.searcher`) answers one after the other. Neither NumPy nor
llama.cpp is needed to ask.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

LONGEST = 1 << 20
"""Bytes of a line at most: 5,000 ids to search among."""
_AGAIN = 0.2
"""Seconds before a searcher that has died is asked again: another one is started at once."""


class Asked(msgspec.Struct, array_like=True):
    query: str
    form_id: str
    limit: int
    since: float | None = None
    """Seconds since 1970, included …"""
    until: float | None = None
    """… and not included."""
    among: list[str] | None = None
    """The only responses that may be found."""


class Found(msgspec.Struct, array_like=True):
    """Ids and cosines, the nearest first. Or what is wrong with the model."""

    hits: list[tuple[str, float]] = []
    fault: str = ""
    inode: int = 0
    """Of the file that was looked through; 0: there is none …"""
    sound: int = 0
    """… and the bytes up to its first damaged record."""


async def ask(socket: Path, asked: Asked, seconds: float) -> Found:
    """Raises OSError when no answer comes in time; one that got lost with its searcher is asked for again."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await _ask(socket, asked)
            except (OSError, EOFError, msgspec.DecodeError):
                await asyncio.sleep(_AGAIN)


async def _ask(socket: Path, asked: Asked) -> Found:
    reader, writer = await asyncio.open_unix_connection(socket, limit=LONGEST)
    try:
        writer.write(msgspec.json.encode(asked) + b"\n")
        await writer.drain()
        return msgspec.json.decode(await reader.readline(), type=Found)
    finally:
        writer.close()
