"""One whole appliance for all tests that only talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from appliance import addresses
from tests import mailbox as mailboxes
from tests import people
from tests.mailbox import Mailbox
from tests.people import People
from tests.running import Running, running
from tests.runtime.servers import free_ports

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
    """What asks models comes last: until then scripts/ai has built what runs them."""
    items.sort(key=lambda item: any(part in item.nodeid for part in LAST))


class Thirds(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
    """Two workers have three parts: what talks to a running appliance; what kills, fills or installs, of
    which no two tests meet so; and all others.
    """

    def _split_scope(self, nodeid: str) -> str:
        part = nodeid.split("/")[1]
        return "harm" if part in ("faults", "ops", "runtime") else "api" if part == "api" else "others"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Thirds:
    return Thirds(config, log)


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
