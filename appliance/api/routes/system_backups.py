"""Backups, for admins. None can be downloaded: who may sign in as an admin need not be who holds the key, and
the file is everything at once; it is copied from the machine's disk (docs/backup.md).
"""

from __future__ import annotations

from litestar import Response, Router, get, post
from msgspec import UNSET

from appliance.api.answers import documented, ok
from appliance.api.guards import admin_only
from appliance.api.requests import ApiRequest
from appliance.services import backup_asking
from appliance.services import system_shapes as shapes


@get("/", scope="admin", guards=[admin_only], responses=documented(401, 403, s200=shapes.SystemBackups))
async def list_backups(request: ApiRequest) -> Response[bytes]:
    """All that lie in the folder, and how the making and the trying out of them goes."""
    return ok(await backup_asking.every(request.context.settings))


@post(
    "/",
    scope="admin",
    status_code=202,
    guards=[admin_only],
    responses=documented(400, 401, 403, 409, 413, 415, s202=shapes.AskedBackup),
)
async def start_backup(request: ApiRequest, data: shapes.StartBackup | None = None) -> Response[bytes]:
    """Have a backup made now, or the newest tried out (`drill`). While one is asked for, asking again is the
    same; `asked_at` of its course is gone when it is over.
    """
    kind = "backup" if data is None or data.kind is UNSET else data.kind
    promised = await backup_asking.ask(request.context, request.signed_in, kind)
    return ok(promised, status=202, headers={"location": promised.status_url})


router = Router(backup_asking.PATH, tags=["system"], route_handlers=[list_backups, start_backup])
