"""An appliance of a module's own, and people in it: `appliance, cast = own.appliance, own.cast`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import people
from tests.people import People
from tests.running import Running, running


@pytest.fixture(scope="module")
def appliance() -> Iterator[Running]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def cast(appliance: Running) -> Iterator[People]:
    """In the module's `appliance`, whoever has started that."""
    with people.gather(appliance) as gathered:
        yield gathered
