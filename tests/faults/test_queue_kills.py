"""The small version of `scripts/faults queue`."""

from __future__ import annotations

from tests.faults import queue_kills


def test_a_thousand_tasks_under_fifty_kills() -> None:
    """Of children, parents, trees and Redis, at random; each effect is there once, none lost, nobody left."""
    summary = queue_kills.kill(1_000, 50, seed=5)
    assert summary.is_clean, summary
    assert sum(summary.kills.values()) == 50 and set(summary.kills) == set(queue_kills.KINDS)
    assert summary.runs > 1_000, "some did run again, else nothing was killed"
