"""The machine under the appliance, for admins."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Response, Router, get, post
from litestar.params import Parameter

from appliance.api.answers import documented, ok
from appliance.api.guards import admin_only
from appliance.api.requests import ApiRequest
from appliance.services import system, system_acts
from appliance.services import system_shapes as shapes

ServiceName = Annotated[str, Parameter(description="A program's name, such as `scheduler`", max_length=64)]
SecretName = Annotated[str, Parameter(description="A secret's name, such as `jwt`", max_length=64)]
Level = Literal["debug", "info", "warning", "error"]


@get("/", scope="admin", guards=[admin_only], responses=documented(401, 403, s200=system.System))
async def show_system(request: ApiRequest) -> Response[bytes]:
    """Each program: does it run, what it may have of the machine, what it is given and what it uses."""
    return ok(await system.describe(request.context))


@get(
    "/doctor", scope="admin", guards=[admin_only], responses=documented(401, 403, s200=shapes.SystemFindings)
)
async def run_doctor(request: ApiRequest) -> Response[bytes]:
    """What is or will be wrong, and what to do next, as `appliance doctor` finds it; nothing is changed. It
    takes some seconds. What the API's user may not look at is a finding that says so.
    """
    return ok(await system_acts.findings())


@post(
    "/services/{name:str}/restart",
    scope="admin",
    status_code=202,
    guards=[admin_only],
    responses=documented(401, 403, 404, 409, s202=shapes.RestartedService),
)
async def restart_service(request: ApiRequest, name: ServiceName) -> Response[bytes]:
    """Stop a program and start it again. Not `nginx` nor an `api-…`, by which this very answer comes: that is
    a 409 with the command.
    """
    return ok(await system_acts.restart(request.context, request.signed_in, name), status=202)


@get("/logs", scope="admin", guards=[admin_only], responses=documented(400, 401, 403, s200=shapes.LogLines))
async def read_logs(
    request: ApiRequest,
    program: Annotated[
        str | None,
        Parameter(description="Of this program: `nginx`, or `api` for each of them", max_length=64),
    ] = None,
    level: Annotated[Level | None, Parameter(description="What is as grave, or graver")] = None,
    since: Annotated[
        str, Parameter(description="`90s`, `15m`, `2h` or `3d` ago, or a time", max_length=40)
    ] = "1h",
    request_id: Annotated[str | None, Parameter(description="Of one request", max_length=128)] = None,
    limit: Annotated[int, Parameter(ge=1, le=1000, description="The newest so many")] = 200,
) -> Response[bytes]:
    """The newest lines of all programs' logs, merged by time, without any secret value. Long ones are cut."""
    return ok(await system_acts.logs(program, level, since, request_id, limit))


@get(
    "/secrets", scope="admin", guards=[admin_only], responses=documented(401, 403, s200=shapes.SystemSecrets)
)
async def list_secrets(request: ApiRequest) -> Response[bytes]:
    """Names, where they come from, states and ages; never values."""
    return ok(await system_acts.secrets())


@post(
    "/secrets/{name:str}/rotate",
    scope="admin",
    status_code=200,
    guards=[admin_only],
    responses=documented(401, 403, 404, 409, s200=shapes.RotatedSecret),
)
async def rotate_secret(request: ApiRequest, name: SecretName) -> Response[bytes]:
    """Another value for one of `jwt`, `cursors`, `webhooks`, `backup`, `admin`, while everything runs. The
    others take a reload, or come from outside: that is a 409 with what to do.
    """
    return ok(await system_acts.rotate(request.context, request.signed_in, name))


@get(
    "/certificates",
    scope="admin",
    guards=[admin_only],
    responses=documented(401, 403, s200=shapes.SystemCertificates),
)
async def list_certificates(request: ApiRequest) -> Response[bytes]:
    """The certificate that HTTPS is served with: for whom, until when, and why a newer one is not served."""
    return ok(await system_acts.served(request.context.settings))


router = Router(
    "/api/v1/system",
    tags=["system"],
    route_handlers=[
        show_system,
        run_doctor,
        restart_service,
        read_logs,
        list_secrets,
        rotate_secret,
        list_certificates,
    ],
)
