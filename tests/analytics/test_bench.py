"""The bench of analytics, at sizes that take seconds: that it measures what it says."""

from __future__ import annotations

from tests.bench import analytics, analytics_lake


def test_it_measures_all_it_promises() -> None:
    sizes = analytics.Sizes(
        responses=2_000, day=500, mongo_rows=200, flows_rows=3_000, lake_rows=6_000, rounds=1
    )
    taken_in, small, large = analytics.run(sizes)
    assert all(row["responses/s"] > 0 for row in taken_in["rows"]) and len(taken_in["aims"]) == 3
    asked = analytics_lake.FLOWS.keys() | analytics_lake.named_questions().keys()
    for part in (small, large):
        assert {row["what"] for row in part["rows"]} == asked
        assert all(row["product"] > 0 and row["DuckDB"] > 0 for row in part["rows"])
    assert any(row["MongoDB"] for row in small["rows"]) and not any(row["MongoDB"] for row in large["rows"])
    assert len(small["aims"]) == len(asked) + len(analytics_lake.FLOWS)
