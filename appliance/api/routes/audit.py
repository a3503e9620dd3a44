"""The audit log, for admins."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get
from litestar.params import Parameter

from appliance.api.answers import documented, ok
from appliance.api.guards import admin_only
from appliance.api.paging import Cursor, Limit
from appliance.api.requests import ApiRequest
from appliance.services import account_shapes as shapes
from appliance.services import audit_log
from appliance.services.audit_log import Filter


@get("/", scope="admin", guards=[admin_only], responses=documented(400, 401, 403, s200=shapes.AuditEntries))
async def list_audit(
    request: ApiRequest,
    limit: Limit = 50,
    cursor: Cursor = None,
    actor: Annotated[str | None, Parameter(description="By this user's id", max_length=64)] = None,
    action: Annotated[str | None, Parameter(description="Such as `form.published`", max_length=64)] = None,
    subject: Annotated[str | None, Parameter(description="Of the thing with this id", max_length=64)] = None,
) -> Response[bytes]:
    """Who changed what, newest first. Entries are chained by hash: `appliance audit verify` checks that."""
    wanted = Filter(actor, action, subject)
    return ok(await audit_log.newest(request.context, wanted, cursor, limit))


router = Router("/api/v1/audit", tags=["audit"], route_handlers=[list_audit])
