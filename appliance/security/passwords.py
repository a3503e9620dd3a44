"""Passwords: argon2id with 19 MiB, 2 passes, 1 lane (OWASP's first choice), in a pool of bounded size."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.errors import TooMany

_WAITING = 32
"""Logins that may wait for the pool; 23 ms of CPU each, so the last of them waits under a second."""
LONGEST = 1024
"""Characters of a password at most."""


class Passwords:
    """Hash and verify without blocking the event loop."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._hasher.hash, password)

    def hash_here(self, password: str) -> str:
        """At the start, when nobody waits for this thread: what it takes of memory can be given back after,
        while glibc keeps what a thread of the pool took.
        """
        return self._hasher.hash(password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """False for None too, after the same work: an unknown user takes as long as a wrong password.

        Raises TooMany when the pool has as much to do as it may take on.
        """
        if self._waiting >= _WAITING:
            raise TooMany("Too many logins at this moment; try again.", retry_after=2)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(
                self._pool, self._verify, password_hash or self._nobody, password
            )
        finally:
            self._waiting -= 1
        return right and password_hash is not None

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
