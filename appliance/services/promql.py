"""What Prometheus says: a question in PromQL, asked of the one on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlencode

import httpcore
import msgspec

from appliance import addresses
from appliance.errors import FieldError, Invalid, Unavailable
from appliance.services.context import Context

SECONDS: Final = 35.0
"""Beyond the 30 that Prometheus gives a question itself."""
BYTES: Final = 16 * 1024 * 1024
"""Of an answer."""

Kind = Literal["query", "query_range"]


class _Refusal(msgspec.Struct):
    error: str = ""


async def ask(context: Context, kind: Kind, parameters: Mapping[str, str | None]) -> bytes:
    """Its answer as it is: `{"status": "success", "data": {"resultType", "result"}}`.

    Raises Invalid for what Prometheus does not take, Unavailable when it is off or does not answer.
    """
    settings = context.settings
    if not settings.monitoring:
        raise Unavailable("Monitoring is off: APPLIANCE_MONITORING.", retry_after=3600)
    given = {name: value for name, value in parameters.items() if value is not None}
    url = f"http://127.0.0.1:{addresses.inner_port(settings, 'prometheus')}/api/v1/{kind}"
    try:
        status, body = await _post(url, urlencode(given).encode())
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        raise Unavailable("Prometheus does not answer.") from None
    if status == 200:
        return body
    if status in (400, 422):
        told = msgspec.json.decode(body, type=_Refusal).error
        raise Invalid("The question cannot be answered.", errors=[FieldError("/query", told[:500])])
    raise Unavailable(f"Prometheus answers {status}.")


async def _post(url: str, form: bytes) -> tuple[int, bytes]:
    times = {"connect": 2.0, "read": SECONDS, "write": SECONDS, "pool": SECONDS}
    headers = [("content-type", "application/x-www-form-urlencoded"), ("host", "127.0.0.1")]
    body = bytearray()
    async with (
        httpcore.AsyncConnectionPool() as pool,
        pool.stream("POST", url, headers=headers, content=form, extensions={"timeout": times}) as answer,
    ):
        async for part in answer.aiter_stream():
            body += part
            if len(body) > BYTES:
                raise Invalid(
                    "The answer is too large.",
                    errors=[FieldError("/query", "asks for fewer series or steps")],
                )
        return answer.status, bytes(body)
