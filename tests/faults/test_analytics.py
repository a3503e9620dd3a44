"""The lake's answers, whatever else is away or at work."""

from __future__ import annotations

from tests.faults import analytics_same
from tests.running import running

RESPONSES = 20_000


def test_the_flows_queries_say_the_same_in_every_state() -> None:
    with running() as appliance, appliance.client(appliance.login()) as client:
        summary = analytics_same.compare(appliance, client, RESPONSES)
    assert summary.responses == RESPONSES
    assert summary.is_clean, summary
