"""A real Chromium, of Debian, against a real appliance."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitor import Visitor, visiting
from tests.people import People
from tests.running import Running

Visit = Callable[..., Visitor]


# Not for the session: while it is open its event loop is this thread's, and other tests run their own.
@pytest.fixture(scope="package")
def browser(appliance: Running, cast: People) -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program is not None, "there is no chromium; run scripts/setup dev"
    with sync_playwright() as playwright:
        # Its sandbox needs rights that root in a container has not.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, appliance: Running) -> Iterator[Visit]:
    """Makes visitors, each with a profile of its own; at the end what their browsers said is judged."""
    with ExitStack() as stack:

        def make(**options: Any) -> Visitor:
            made: AbstractContextManager[Visitor] = visiting(browser, appliance.url, **options)
            return stack.enter_context(made)

        yield make
