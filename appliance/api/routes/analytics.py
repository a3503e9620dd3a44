"""What the numbers say."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import Response, Router, get, post
from litestar.params import Parameter, QueryParameter

from appliance.api.answers import PRIVATE, accepted, documented, ok
from appliance.api.guards import admin_only, signed_in
from appliance.api.parameters import FormId
from appliance.api.queries import End, Start, moment_of
from appliance.api.requests import ApiRequest
from appliance.errors import FieldError, Invalid
from appliance.services import analytics, analytics_csv, analytics_sql
from appliance.services import analytics_shapes as shapes
from appliance.services.analytics import Asked
from appliance.services.background import Accepted
from appliance.services.sql_child import Form

OneForm = Annotated[
    str | None,
    QueryParameter(name="form_id", max_length=64, description="Of this form; else of all you may see"),
]
Zone = Annotated[
    str | None,
    QueryParameter(max_length=64, description="Of hours and days; else the form's, else UTC"),
]
QueryName = Annotated[str, Parameter(max_length=64, description="One of those that `GET …/queries` lists")]

AQuestion = Annotated[
    str | None,
    QueryParameter(max_length=1000, description="A question of the form, named like its column in exports"),
]

_VARIES = {"vary": "Accept"}


def _asked(
    form_id: str | None, start: str | None, end: str | None, time_zone: str | None, **more: str | None
) -> Asked:
    """Raises BadRequest, Invalid."""
    parameters = {name: value for name, value in more.items() if value is not None}
    first, last = moment_of("from", start), moment_of("to", end)
    if first is not None and last is not None and first > last:
        raise Invalid("No time is between the two.", errors=[FieldError("/to", "is before `from`")])
    return Asked(form_id, first, last, time_zone, parameters)


@get(
    "/daily",
    scope="analytics",
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, 422, s200=shapes.Daily),
)
async def get_daily(
    request: ApiRequest, form_id: OneForm = None, start: Start = None, end: End = None
) -> Response[bytes]:
    """Responses a day and form, with average, median and 95th percentile of completion times."""
    asked = _asked(form_id, start, end, None)
    return ok(await analytics.answer(request.context, request.signed_in, "daily", asked))


@get(
    "/activity",
    scope="analytics",
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, 422, s200=shapes.Activity),
)
async def get_activity(
    request: ApiRequest,
    form_id: OneForm = None,
    start: Start = None,
    end: End = None,
    time_zone: Zone = None,
) -> Response[bytes]:
    """Responses an hour."""
    asked = _asked(form_id, start, end, time_zone)
    return ok(await analytics.answer(request.context, request.signed_in, "activity", asked))


@get(
    "/forms/{form_id:str}",
    scope="analytics",
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, 422, s200=shapes.Daily),
)
async def get_form_daily(
    request: ApiRequest, form_id: FormId, start: Start = None, end: End = None
) -> Response[bytes]:
    """The same a day, of one form."""
    asked = _asked(form_id, start, end, None)
    return ok(await analytics.answer(request.context, request.signed_in, "daily", asked))


@get("/queries", scope="analytics", guards=[signed_in], responses=documented(401, 403, s200=shapes.Queries))
async def list_queries(request: ApiRequest) -> Response[bytes]:
    """The named queries, and what their columns are."""
    return ok(analytics.queries())


@get(
    "/queries/{query_name:str}",
    scope="analytics",
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, 422, s200=shapes.QueryAnswer),
)
async def ask_query(
    request: ApiRequest,
    query_name: QueryName,
    form_id: OneForm = None,
    start: Start = None,
    end: End = None,
    time_zone: Zone = None,
    question: AQuestion = None,
    by: AQuestion = None,
    period: Annotated[str | None, QueryParameter(max_length=20, description="How long a period is")] = None,
    bins: Annotated[str | None, QueryParameter(max_length=20, description="How many ranges")] = None,
    format: Annotated[
        Literal["json", "csv"] | None,
        QueryParameter(description="Without it, as Accept says: csv for `text/csv`, else json"),
    ] = None,
) -> Response[bytes]:
    """The answer to one of them. `question`, `by`, `period` and `bins` are for those that list them."""
    asked = _asked(form_id, start, end, time_zone, question=question, by=by, period=period, bins=bins)
    found = await analytics.answer(request.context, request.signed_in, query_name, asked)
    return _csv(query_name, found) if (format or _accepted(request)) == "csv" else ok(found, headers=_VARIES)


def _accepted(request: ApiRequest) -> Form:
    """What `Accept` asks for."""
    wants_csv = request.accept.best_match(["application/json", "text/csv"]) == "text/csv"
    return "csv" if wants_csv else "json"


def _csv(name: str, found: shapes.QueryAnswer) -> Response[bytes]:
    return Response(
        analytics_csv.lines(analytics.columns_of(name), found.rows),
        media_type="text/csv; header=present",
        headers={
            **PRIVATE,
            **_VARIES,
            "content-disposition": f'attachment; filename="{name}.csv"',
            "x-as-of": found.as_of,
        },
    )


@post(
    "/query",
    scope="analytics",
    guards=[signed_in],
    status_code=200,
    responses=documented(400, 401, 403, 422, s200=shapes.SqlAnswer),
)
async def ask_sql(request: ApiRequest, data: shapes.AskSql) -> Response[bytes]:
    """One SELECT over `responses`, `forms`, `partials`, `ai_results` and `activity`, as far as you may see
    them. `Accept: text/csv` has the rows as CSV; then `X-As-Of` and `X-Is-Whole` are headers.
    """
    form = _accepted(request)
    found = await analytics_sql.ask(request.context, request.signed_in, data, form)
    if form == "json":
        told = {"as_of": found.as_of, "is_whole": found.is_whole, "rows": msgspec.Raw(found.body)}
        return ok(told, headers=_VARIES)
    about = {"x-as-of": found.as_of, "x-is-whole": "true" if found.is_whole else "false"}
    return Response(found.body, media_type="text/csv", headers=PRIVATE | _VARIES | about)


@post(
    "/run",
    scope="analytics",
    guards=[admin_only],
    status_code=202,
    responses=documented(401, 403, s202=Accepted),
)
async def run_analytics(request: ApiRequest) -> Response[bytes]:
    """Bring the lake up to date now."""
    return accepted(await analytics.run(request.context, request.signed_in))


@get("/runs", scope="analytics", guards=[admin_only], responses=documented(401, 403, s200=shapes.LakeRuns))
async def list_runs(
    request: ApiRequest,
    limit: Annotated[int, QueryParameter(ge=1, le=100, description="Runs at most")] = 20,
) -> Response[bytes]:
    """The last runs, the newest first: what they took in, how long they took."""
    return ok(await analytics.runs(request.context, limit))


router = Router(
    "/api/v1/analytics",
    tags=["analytics"],
    route_handlers=[
        get_daily,
        get_activity,
        get_form_daily,
        list_queries,
        ask_query,
        ask_sql,
        run_analytics,
        list_runs,
    ],
)
