"""Parameters that lists and exports of responses have in common."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from litestar.params import QueryParameter

from appliance.api.requests import ApiRequest
from appliance.clock import parse_rfc3339
from appliance.errors import BadRequest, FieldError

FILTER = "filter."
MOMENT = {"format": "date-time"}
Start = Annotated[
    str | None,
    QueryParameter(name="from", max_length=40, schema_extra=MOMENT, description="RFC 3339; from then on"),
]
End = Annotated[
    str | None,
    QueryParameter(name="to", max_length=40, schema_extra=MOMENT, description="RFC 3339; up to then"),
]


def moment_of(name: str, text: str | None) -> dt.datetime | None:
    """Raises BadRequest."""
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError as fault:
        raise BadRequest("A time bound is not valid.", errors=[FieldError(f"/{name}", str(fault))]) from None


def filters_of(request: ApiRequest) -> dict[str, str]:
    """What `filter.<question>=<answer>` asks for."""
    return {
        name.removeprefix(FILTER): value
        for name, value in request.query_params.multi_items()
        if name.startswith(FILTER)
    }
