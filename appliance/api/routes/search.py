"""Search by meaning among the responses of a form."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.params import Parameter

from appliance.ai import texts
from appliance.api.answers import documented, ok
from appliance.api.guards import signed_in
from appliance.api.parameters import FormId
from appliance.api.queries import FILTER, End, Start, filters_of, moment_of
from appliance.api.requests import ApiRequest
from appliance.errors import BadRequest, FieldError
from appliance.services import search
from appliance.services.search_shapes import FoundResponses
from appliance.stores.responses import TimeRange


@get(
    "/{form_id:str}/search",
    tags=["ai"],
    scope="responses:read",
    prefix=FILTER,
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, s200=FoundResponses),
)
async def search_responses(
    request: ApiRequest,
    form_id: FormId,
    q: Annotated[
        str,
        Parameter(
            max_length=500,
            pattern=r"\S",
            description="What the answers should be about, in words of any kind; its first 256 tokens count",
        ),
    ],
    limit: Annotated[int, Parameter(ge=1, le=100, description="Responses at most")] = 10,
    status: Annotated[search.Kept | None, Parameter(description="Without it, both")] = None,
    start: Start = None,
    end: End = None,
) -> Response[bytes]:
    """The responses whose free text is nearest to `q` in meaning. `filter.<question>=<answer>` as in the list
    of responses. 503 while AI is off.
    """
    words = texts.clean(q)
    if not words:
        fault = FieldError("/q", "words are needed; this has nothing that can be seen")
        raise BadRequest("There is nothing to search for.", errors=[fault])
    times = TimeRange(moment_of("from", start), moment_of("to", end))
    wanted = search.Wanted(words, limit, status, times, filters_of(request))
    return ok(await search.search(request.context, request.signed_in, form_id, wanted))


form_handlers = [search_responses]
"""For the router of the forms' path."""
