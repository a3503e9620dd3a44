"""Schemathesis over the published document, with all its checks, as alice and as nobody.

Seeded: a failure comes back. What is left out is said at each place.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import CHECKS

from tests.people import People
from tests.running import Running

EXAMPLES = 12
LEFT_OUT = {
    # Ends alice's own session, or changes her password: everything after it would be a 401.
    "POST /auth/logout",
    "POST /auth/password",
}
CHECKS_LEFT_OUT = {
    # They need a state that only a sequence of calls builds.
    "use_after_free",
    "ensure_resource_availability",
    "object_level_authorization",
    # The document cannot say what a form's rules or the definition checker refuse (422), nor what is absent.
    "positive_data_acceptance",
}


def _checks() -> list[Any]:
    return [check for check in CHECKS.get_all() if check.__name__ not in CHECKS_LEFT_OUT]


@pytest.mark.parametrize("who", ["alice", "nobody"])
def test_the_document_is_true(appliance: Running, cast: People, who: str) -> None:
    document = cast.nobody.get("/openapi.json").json()
    client: httpx.Client = getattr(cast, who)
    headers = {"Authorization": client.headers["authorization"]} if who == "alice" else {}
    schema = schemathesis.openapi.from_dict(document)
    faults: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.label in LEFT_OUT:
            continue
        try:
            _try(operation, appliance.url, headers)
        except BaseExceptionGroup as fault:
            faults += [f"{operation.label}: {each}" for each in fault.exceptions]
        except Exception as fault:
            faults.append(f"{operation.label}: {fault}")
    assert not faults, "\n\n".join(faults)


def _try(operation: Any, url: str, headers: dict[str, str]) -> None:
    @seed(3)
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(base_url=url, headers=headers, checks=_checks())

    check()
