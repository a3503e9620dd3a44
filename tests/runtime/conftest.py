"""Data folders of their own and settings that lead there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import settings
from appliance.addresses import Paths
from appliance.runtime import folders
from appliance.settings import Settings
from tests.runtime.servers import operator_environ, temporary_data


@pytest.fixture
def data() -> Iterator[Path]:
    with temporary_data() as path:
        yield path


@pytest.fixture
def environ(data: Path) -> dict[str, str]:
    """The environment of an operator: nothing of ours but where and on which ports."""
    return operator_environ(data)


@pytest.fixture
def chosen(environ: dict[str, str]) -> Settings:
    return settings.load(environ, dotenv=Path("/nonexistent"))


@pytest.fixture
def paths(chosen: Settings) -> Paths:
    """The data folder as `up` leaves it before it starts the supervisor."""
    made = Paths(chosen.data)
    folders.create(made)
    folders.create_secrets(made, chosen)
    return made
