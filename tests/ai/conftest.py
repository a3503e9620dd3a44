"""The default models, opened once for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.ai.models import Models
from tests import models as kept


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with kept.opened() as held:
        yield held
