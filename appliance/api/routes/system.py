"""The machine under the appliance, for admins."""

from __future__ import annotations

from litestar import Response, Router, get

from appliance.api.answers import documented, ok
from appliance.api.guards import admin_only
from appliance.api.requests import ApiRequest
from appliance.services import system


@get("/", scope="admin", guards=[admin_only], responses=documented(401, 403, s200=system.System))
async def show_system(request: ApiRequest) -> Response[bytes]:
    """Each program: does it run, what it may have of the machine, what it is given and what it uses."""
    return ok(await system.describe(request.context))


router = Router("/api/v1/system", tags=["system"], route_handlers=[show_system])
