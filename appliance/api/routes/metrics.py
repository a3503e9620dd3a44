"""What Prometheus has measured, for admins."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get
from litestar.params import QueryParameter

from appliance.api.answers import PRIVATE, documented
from appliance.api.guards import admin_only
from appliance.api.requests import ApiRequest
from appliance.services import metrics_shapes as shapes
from appliance.services import promql

Question = Annotated[str, QueryParameter(name="query", max_length=10_000, description="In PromQL")]
Moment = Annotated[
    str | None, QueryParameter(max_length=64, description="RFC 3339 or seconds since 1970; else now")
]
Needed = Annotated[str, QueryParameter(max_length=64, description="RFC 3339 or seconds since 1970")]
Step = Annotated[str, QueryParameter(max_length=20, description="From one value to the next, such as 30s")]


def _answer(body: bytes) -> Response[bytes]:
    return Response(body, media_type="application/json", headers=PRIVATE)


@get(
    "/query",
    scope="admin",
    guards=[admin_only],
    responses=documented(400, 401, 403, 414, 422, s200=shapes.PromAnswer),
)
async def query_metrics(request: ApiRequest, question: Question, time: Moment = None) -> Response[bytes]:
    """A value of each series now, or at a moment."""
    asked = {"query": question, "time": time}
    return _answer(await promql.ask(request.context, "query", asked))


@get(
    "/query_range",
    scope="admin",
    guards=[admin_only],
    responses=documented(400, 401, 403, 414, 422, s200=shapes.PromAnswer),
)
async def query_metrics_range(
    request: ApiRequest, question: Question, start: Needed, end: Needed, step: Step
) -> Response[bytes]:
    """Values of each series over a time, up to 11,000 each."""
    asked = {"query": question, "start": start, "end": end, "step": step}
    return _answer(await promql.ask(request.context, "query_range", asked))


router = Router("/api/v1/metrics", tags=["metrics"], route_handlers=[query_metrics, query_metrics_range])
