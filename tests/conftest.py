"""One whole appliance for all tests that only talk to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import people
from tests.people import People
from tests.running import Running, running


@pytest.fixture(scope="session")
def appliance() -> Iterator[Running]:
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def cast(appliance: Running) -> Iterator[People]:
    """alice, bob, charlie, admin and nobody, signed in."""
    gathered = people.gather(appliance)
    yield gathered
    gathered.close()
