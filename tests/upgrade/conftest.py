from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.servers import temporary_data
from tests.upgrade import trees
from tests.upgrade.trees import Case


@pytest.fixture(scope="package")
def filled() -> Iterator[Path]:
    """A data folder with responses, made by today's code."""
    with temporary_data() as data:
        data.parent.mkdir(parents=True, exist_ok=True)
        trees.fill(Case(data))
        yield data


@pytest.fixture
def case(filled: Path) -> Iterator[Case]:
    """A copy of it."""
    with temporary_data() as data:
        data.parent.mkdir(parents=True, exist_ok=True)
        yield Case(trees.copy(filled, data))
