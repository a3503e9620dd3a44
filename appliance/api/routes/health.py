"""Alive, and ready."""

from __future__ import annotations

from litestar import Response, get

from appliance.api.answers import documented, ok
from appliance.api.requests import ApiRequest
from appliance.services import readiness

_NO_STORE = {"cache-control": "no-store"}


@get("/healthz", responses=documented(s200=dict[str, str]), tags=["health"])
async def healthz() -> Response[bytes]:
    """Alive: answers without asking any dependency."""
    return ok({"status": "alive"}, headers=_NO_STORE)


@get("/readyz", responses=documented(s200=readiness.Readiness, s503=readiness.Readiness), tags=["health"])
async def readyz(request: ApiRequest) -> Response[bytes]:
    """Each dependency, latencies in seconds. 503 when MongoDB is away; without Redis 200 and `degraded`."""
    found = await readiness.check(request.context)
    if found.status == "unavailable":
        return ok(found, status=503, headers=_NO_STORE | {"retry-after": "2"})
    return ok(found, headers=_NO_STORE)
