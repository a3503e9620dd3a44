from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.domain.oracle import Oracle, oracle


@pytest.fixture(scope="session")
def survey_core() -> Iterator[Oracle]:
    with oracle() as judge:
        yield judge
