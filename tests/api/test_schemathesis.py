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
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation

from tests.api.forms import publish, submit
from tests.people import People
from tests.running import Running

EXAMPLES = 8
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
        operation = result.ok()  # type: ignore[union-attr]
        if operation.label in LEFT_OUT:
            continue
        for mode in GenerationMode:
            try:
                _try(operation, mode, appliance.url, headers, _places(cast))
            except BaseExceptionGroup as fault:
                faults += [f"{operation.label}: {each}" for each in fault.exceptions]
            except Unsatisfiable:
                pass  # nothing of it could be wrong
            except Exception as fault:
                faults.append(f"{operation.label}: {fault}")
    assert not faults, "\n\n".join(faults)


def _places(cast: People) -> dict[str, object]:
    """Things that exist, for the paths: of ids made up, nothing but 404 would be learned."""
    form_id = publish(cast.alice, public=True)
    return {
        "form_id": form_id,
        "response_id": submit(cast.nobody, form_id).json()["response_id"],
        "number": 1,
    }


def _try(
    operation: Any, mode: GenerationMode, url: str, headers: dict[str, str], places: dict[str, object]
) -> None:
    @seed(3)
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        if not case.meta.is_negative_at(ParameterLocation.PATH):
            known = {name: places[name] for name in case.path_parameters or () if name in places}
            case.path_parameters.update(known)
        case.call_and_validate(base_url=url, headers=headers, checks=_checks())

    check()
