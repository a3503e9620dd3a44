"""An appliance of their own for the tests that break it: the others' must not be hurt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import people
from tests.faults.steering import until_whole
from tests.mailbox import Mailbox
from tests.people import People
from tests.running import Running, running


@pytest.fixture(scope="package")
def victim(mailbox: Mailbox) -> Iterator[Running]:
    with running(SMTP_URL=mailbox.url) as started:
        yield started


@pytest.fixture
def appliance(victim: Running) -> Running:
    """Whole again, whatever the test before did to it."""
    until_whole(victim)
    return victim


@pytest.fixture(scope="package")
def cast(victim: Running) -> Iterator[People]:
    until_whole(victim)
    with people.gather(victim) as gathered:
        yield gathered
