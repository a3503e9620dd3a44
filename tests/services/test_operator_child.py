"""Many who ask at once what only the operator's side can see."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from appliance.errors import TooMany
from appliance.services import operator_child
from appliance.settings import HOME


def test_one_at_a_time_and_who_waits_too_long_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429, which no alert takes for a fault of ours."""
    monkeypatch.setattr(operator_child, "CHILD", "tests.services.slow_child")
    monkeypatch.setattr(operator_child, "_PATIENCE", 0.6)
    monkeypatch.setenv("PYTHONPATH", str(HOME))

    async def ask(kind: str) -> list[operator_child.Told | BaseException | None]:
        if kind == "look":
            asked = [operator_child.look("doctor", seconds=0.3) for _ in range(8)]
            return list(await asyncio.gather(*asked, return_exceptions=True))
        acts = [operator_child.act("restart", seconds=0.3) for _ in range(8)]
        return list(await asyncio.gather(*acts, return_exceptions=True))

    async def both() -> list[list[operator_child.Told | BaseException | None]]:
        return [await ask("look"), await ask("act")]

    for answers in asyncio.run(both()):
        told = sorted(each.answer for each in answers if isinstance(each, operator_child.Told))
        refused = [each for each in answers if isinstance(each, TooMany)]
        assert told and refused and len(told) + len(refused) == 8, answers
        assert all(one[1] <= next_one[0] for one, next_one in itertools.pairwise(told)), "one at a time"
        assert {(each.status, each.retry_after) for each in refused} == {(429, 2)}
