"""Looking up the addresses of a name without waiting for longer than the caller will.

The system's resolver blocks, and a thread that hangs in it cannot be ended; so at most PLACES of them hang,
and they are not of the event loop's own pool, which a process waits for before it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence

PLACES = 32
"""Names that are looked up at the same time."""

Resolver = Callable[[str], Sequence[str]]
"""The addresses of a name, in the order to try them. Raises OSError. It may block."""


def resolve(host: str) -> list[str]:
    """As the machine is set up to resolve names."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Lookups:
    """One a process."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolve = resolver
        self._places = threading.BoundedSemaphore(PLACES)

    async def find(self, host: str) -> Sequence[str]:
        """At least one address; an address is its own. Raises OSError with a reason fit for users."""
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        if not self._places.acquire(blocking=False):
            raise OSError("too many names are being looked up; try again")
        try:
            found = await self._in_thread(host)
        except (OSError, UnicodeError):
            raise OSError("its name has no address") from None
        if not found:
            raise OSError("its name has no address")
        return found

    async def _in_thread(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Sequence[str]] = loop.create_future()

        def tell(found: Sequence[str] | Exception) -> None:
            if done.done():
                return  # the caller has left
            if isinstance(found, Exception):
                done.set_exception(found)
            else:
                done.set_result(found)

        def run() -> None:
            try:
                found: Sequence[str] | Exception = self._resolve(host)
            except Exception as fault:
                found = fault
            self._places.release()
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(tell, found)

        threading.Thread(target=run, name="lookup", daemon=True).start()
        return await done
