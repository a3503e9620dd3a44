"""The gate before webhooks: keeps receivers that are slow or dead from holding up the others.

Contract: at most two deliveries of one webhook run at a time. One that failed sends its webhook to rest (5 s,
doubled with each further failure in a row, an hour at most), and whoever comes meanwhile is put off. A
webhook is well while its last delivery got through within a day, and quickly; to any other one delivery runs
at a time, as a probe, and all probes together have two places. All deliveries together have three: of the
four processes that deliver, one is left to e-mail and the rest. A holder that dies leaves by its lease.

It lies in Redis, and losing it costs no more than a few requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Literal, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

_LUA = Path(__file__).parent / "lua"
OF_ONE = 2
"""Deliveries of one webhook at a time."""
PROBES = 2
"""Deliveries to webhooks that are not known to be well, all together."""
ALL = 3
"""Deliveries at a time, all together."""
QUICK = 2.0
"""Seconds that a webhook which is well may take."""
LEASE = 20.0
"""Seconds, longer than any request takes."""
REST = 5.0
"""Seconds of the first rest."""
LONGEST = 3600.0
"""Seconds of a rest at most."""
WELL = 24 * 3600.0
"""Seconds."""
UNCALLED = 30.0
"""Seconds after which whoever waits in line looks for itself, at least."""
_SOON = 0.05
"""Seconds that it is worth waiting for a webhook that answered as fast as this."""
_LOOKS = 3

Verdict = Literal["go", "later"]
Outcome = Literal["delivered", "failed", "untried"]


class Pass(NamedTuple):
    verdict: Verdict
    wait: float
    """Seconds until it is worth asking again."""


class Gate:
    """`enter`, and after a `go` always `leave`. Both raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._enter = redis.register_script((_LUA / "webhook_enter.lua").read_text())
        self._leave = redis.register_script((_LUA / "webhook_leave.lua").read_text())

    async def enter(self, webhook_id: str, token: str, *, at_once: bool = False) -> Pass:
        """`at_once`: somebody asked for it, so that the rest need not be over.

        Waits a moment for a webhook that is quick, so that many events for it go through one after another;
        else it is in line, and its task is to be called by whoever leaves.
        """
        for look in range(_LOOKS):
            in_line = int(look == _LOOKS - 1)
            word, wait, spread = await self._enter(
                args=[
                    webhook_id, token, OF_ONE, PROBES, _ms(LEASE), int(at_once), ALL, in_line, _ms(UNCALLED),
                ]
            )  # fmt: skip
            if word != b"busy":
                break
            await asyncio.sleep(min(wait / 1000, _SOON))
        verdict: Verdict = "go" if word == b"go" else "later"
        return Pass(verdict, (wait + spread * random.random()) / 1000)  # noqa: S311

    async def leave(self, webhook_id: str, token: str, outcome: Outcome, seconds: float = 0) -> list[str]:
        """The ids of the deliveries whose turn it is now."""
        return await self._tell(webhook_id, token, outcome, seconds)

    async def wake(self, webhook_id: str) -> None:
        """No rest any more: somebody has changed what was wrong. Never fails."""
        with contextlib.suppress(RedisError, OSError):
            await self._tell(webhook_id, "", "woken", 0)

    async def well(self, webhook_id: str, seconds: float) -> None:
        """Something got through past the gate. Never fails."""
        with contextlib.suppress(RedisError, OSError):
            await self._tell(webhook_id, "", "delivered", seconds)

    async def _tell(self, webhook_id: str, token: str, what: str, seconds: float) -> list[str]:
        bounds = [_ms(seconds), _ms(REST), _ms(LONGEST), _ms(WELL), _ms(QUICK), OF_ONE, PROBES, ALL]
        called = await self._leave(args=[webhook_id, token, what, *bounds])
        return [token.decode() for token in called]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
