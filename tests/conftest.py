"""One whole appliance for all tests that only talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import addresses
from tests import mailbox as mailboxes
from tests import people
from tests.mailbox import Mailbox
from tests.people import People
from tests.running import Running, running
from tests.runtime.servers import free_ports

API = Path(__file__).with_name("api")
LAST = (
    "/ai/",
    "/test_ai.py",
    "/test_analysis.py",
    "/test_insights.py",
    "/test_analysis_settling.py",
    "/test_models.py",
    "/test_search",
    "/test_schemathesis.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks models comes last: until then scripts/ai has built what runs them.

    scripts/test runs two halves side by side, so that two tests that kill, fill or install never meet.
    """
    items.sort(key=lambda item: any(part in item.nodeid for part in LAST))
    for item in items:
        half = "api" if item.path.is_relative_to(API) else "rest"
        item.add_marker(pytest.mark.xdist_group(half))


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    """Where the e-mail of the whole session goes."""
    with mailboxes.mailbox() as kept:
        yield kept


@pytest.fixture(scope="session")
def appliance(mailbox: Mailbox) -> Iterator[Running]:
    base = str(free_ports(len(addresses.INNER_PORTS)))
    about = {"APPLIANCE_MONITORING": "on", "APPLIANCE_PORT_BASE": base, "EGRESS_ALLOW": "127.0.0.1/32"}
    with running(SMTP_URL=mailbox.url, **about) as started:
        yield started


@pytest.fixture(scope="session")
def cast(appliance: Running) -> Iterator[People]:
    """alice, bob, charlie, admin and nobody, signed in."""
    with people.gather(appliance) as gathered:
        yield gathered
