"""Users' JSON Schemas: compiled first in a child that can be killed, asked there too where they are heavy.

Contract: whatever a schema or an answer to it is, a verdict is there within COMPILE_SECONDS, and other
requests of this process go on meanwhile. What is not judged within the limits is refused.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from typing import Any

import msgspec

from appliance import logs
from appliance.domain.answer import ROOT as ANSWERS
from appliance.domain.rules import Rules
from appliance.domain.schema_form import DETAIL, SchemaRules, TooCostly
from appliance.domain.schema_walk import ROOT
from appliance.errors import FieldError, Invalid, Unavailable

COMPILE_SECONDS = 9.0
"""For a schema, the wait for a turn included; 10 are promised."""
JUDGE_SECONDS = 3.0
"""The same for one response."""
_AT_ONCE = 2

log = logs.get(__name__)


class Schemas:
    """One a process, used in one event loop."""

    def __init__(self) -> None:
        self._compiling = asyncio.Semaphore(_AT_ONCE)
        self._judging = asyncio.Semaphore(_AT_ONCE)

    async def rules(self, schema: dict[str, Any]) -> SchemaRules:
        """Of a schema that was stored: it has been probed. Raises Invalid."""
        rules = await asyncio.to_thread(SchemaRules, schema)
        if rules.light:
            await asyncio.to_thread(rules.compile)
        return rules

    async def probe(self, schema: dict[str, Any]) -> None:
        """Raises Invalid with each fault below /schema, Unavailable when too many are being probed."""
        await asyncio.to_thread(SchemaRules, schema)
        try:
            async with asyncio.timeout(COMPILE_SECONDS):
                async with _Turn(self._compiling):
                    faults = await _ask({"schema": schema})
        except TimeoutError:
            faults = None
        if faults is None:
            faults = [FieldError(ROOT, "takes too much time or memory to compile")]
        if faults:
            raise Invalid(DETAIL, errors=faults)

    async def check(self, rules: Rules, data: Any) -> dict[str, Any]:
        """The data as stored. Raises Invalid with each fault below /data."""
        try:
            return rules.check(data)
        except TooCostly:
            pass
        try:
            async with asyncio.timeout(JUDGE_SECONDS):
                async with _Turn(self._judging):
                    faults = await _ask({"schema": rules.schema(), "data": data})
        except TimeoutError:
            faults = None
        if faults is None:
            faults = [FieldError(ANSWERS, "takes too much time or memory to judge")]
        if faults:
            raise Invalid("The answers do not fit the form", errors=faults)
        checked: dict[str, Any] = data
        return checked


class _Turn:
    """One of the slots, waited for at most half of the time that a verdict may take."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots

    async def __aenter__(self) -> None:
        try:
            await asyncio.wait_for(self._slots.acquire(), JUDGE_SECONDS / 2)
        except TimeoutError:
            raise Unavailable("Too many schemas are being judged; try again.") from None

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()


async def _ask(question: dict[str, Any]) -> list[FieldError] | None:
    """The child's faults; None when it did not get to a verdict."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "appliance.services.schema_child", str(os.getpid()),
        stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL, env=_environ(),
    )  # fmt: skip
    try:
        answer, _ = await child.communicate(msgspec.json.encode(question))
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.shield(child.wait())
    if child.returncode != 0:
        log.info("a schema was too much", extra={"exit": child.returncode})
        return None
    return [FieldError(path, message) for path, message in msgspec.json.decode(answer)]


def _environ() -> dict[str, str]:
    """Nothing that is secret."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
