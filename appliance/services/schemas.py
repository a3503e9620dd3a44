"""Users' JSON Schemas: compiled first in a child that can be killed, asked there too where they are heavy.

Contract: whatever a schema or an answer to it is, a verdict is there within COMPILE_SECONDS, and other
requests of this process go on meanwhile. What is not judged within the limits is refused.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from appliance import clock
from appliance.domain.answer import ROOT as ANSWERS
from appliance.domain.rules import Rules
from appliance.domain.schema_form import DETAIL, SchemaRules, TooCostly
from appliance.domain.schema_walk import ROOT
from appliance.errors import FieldError, Invalid
from appliance.services import children

COMPILE_SECONDS = 9.0
"""For a schema, the wait for a turn included; 10 are promised."""
JUDGE_SECONDS = 3.0
"""The same for one response."""
_PATIENCE = JUDGE_SECONDS / 2
"""Seconds of it that a turn is waited for."""
_AT_ONCE = 2
_BUSY = "Too many schemas are being judged; try again."


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
                async with children.Turn(self._compiling, _PATIENCE, _BUSY):
                    faults = await _ask({"schema": schema})
        except TimeoutError:
            faults = None
        if faults is None:
            faults = [FieldError(ROOT, "takes too much time or memory to compile")]
        if faults:
            raise Invalid(DETAIL, errors=faults)

    async def check(self, rules: Rules, data: Any, *wanted: str | None) -> dict[str, Any]:
        """The data as stored. Raises Invalid with each fault below /data, told in the first language of those
        wanted that the form can speak."""
        try:
            return rules.check(data, clock.utc_now(), wanted)
        except TooCostly:
            pass
        try:
            async with asyncio.timeout(JUDGE_SECONDS):
                async with children.Turn(self._judging, _PATIENCE, _BUSY):
                    faults = await _ask({"schema": rules.schema(), "data": data})
        except TimeoutError:
            faults = None
        if faults is None:
            faults = [FieldError(ANSWERS, "takes too much time or memory to judge")]
        if faults:
            raise Invalid("The answers do not fit the form", errors=faults)
        checked: dict[str, Any] = data
        return checked


async def _ask(question: dict[str, Any]) -> list[FieldError] | None:
    """The child's faults; None when it did not get to a verdict."""
    answer = await children.ask("appliance.services.schema_child", msgspec.json.encode(question))
    if answer is None:
        return None
    return [FieldError(path, message) for path, message in msgspec.json.decode(answer)]
