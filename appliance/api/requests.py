"""Reading a request: JSON by msgspec into the handler's own type, headers and query by hand.

Litestar's own conversion is lax (`"5"` passes for 5) and says less of where a fault is.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Request

from appliance.api.edge import EXTRA
from appliance.domain.access import Caller
from appliance.errors import BadRequest, FieldError, TooMany, UnsupportedType
from appliance.services import shape_faults
from appliance.services.admission import Visit
from appliance.services.context import Context
from appliance.stores.limits import Verdict, origin

_JSON_TYPES = re.compile(r"application/(json|[\w.+-]+\+json)\s*(;|$)", re.IGNORECASE)
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')
_ETAG = re.compile(r'(?:W/)?"(\d{1,15})(?:-[0-9a-f]+)?"')


class ApiRequest(Request[Caller | None, str | None, Any]):
    """What handlers get."""

    @property
    def context(self) -> Context:
        context: Context = self.app.state.context
        return context

    @property
    def caller(self) -> Caller | None:
        caller: Caller | None = self.scope.get("user")
        return caller

    @property
    def signed_in(self) -> Caller:
        """For routes behind the guard `signed_in`, which has refused everybody else."""
        caller: Caller = self.scope["user"]
        return caller

    async def json(self) -> Any:
        """The body as the type that the handler's `data` asks for. Raises BadRequest, UnsupportedType."""
        field = self.route_handler.parsed_data_field
        return decode(await self.body(), self.headers.get("content-type"), field.annotation if field else Any)

    @property
    def origin(self) -> str:
        """Where the request comes from, as limits by address count: nginx has written who that is."""
        return origin(self.headers.get("x-forwarded-for"))

    def visit(self, form_id: str, link: str | None = None) -> Visit:
        """Whoever asks, at the door of a form. `link` is the token that the address has, if it has one."""
        return Visit(
            form_id=form_id,
            caller=self.caller,
            pin=self.headers.get("x-form-pin"),
            link=self.headers.get("x-form-link", link),
            address=self.headers.get("x-forwarded-for"),
        )

    def hold_to(self, verdict: Verdict) -> None:
        """Tell the caller of the limit, on whatever the answer becomes. Raises TooMany beyond it."""
        extra: list[tuple[bytes, bytes]] = self.scope[EXTRA]  # type: ignore[literal-required]
        values = {"limit": verdict.limit, "remaining": verdict.remaining, "reset": verdict.reset_seconds}
        extra += [(f"ratelimit-{name}".encode(), str(value).encode()) for name, value in values.items()]
        if not verdict.allowed:
            raise TooMany(
                "Too many requests; come back after the seconds that Retry-After says.",
                retry_after=verdict.reset_seconds,
            )

    def idempotency_key(self) -> str | None:
        """Raw or quoted. Raises BadRequest."""
        given = self.headers.get("idempotency-key")
        return None if given is None else checked_key(given)

    def if_match(self) -> int | None:
        """The revision that the caller changes. `*` matches any. Raises BadRequest for more than one tag."""
        given = self.headers.get("if-match")
        if given is None or given.strip() == "*":
            return None
        if '",' in given:
            raise BadRequest("If-Match takes one entity tag: that of what you read.")
        found = _ETAG.fullmatch(given.strip())
        # An entity tag that we never gave out matches nothing: revision 0 does not exist.
        return int(found[1]) if found else 0

    def is_current(self, tag: str) -> bool:
        """True when If-None-Match names this entity tag: answer 304."""
        given = self.headers.get("if-none-match")
        if given is None:
            return False
        tags = [each.strip().removeprefix("W/") for each in given.split(",")]
        return "*" in tags or tag in tags


def checked_key(given: str) -> str:
    """An Idempotency-Key without its quotes. Raises BadRequest."""
    found = _KEY.fullmatch(given.strip())
    if found is None:
        fault = "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces or inner quotes."
        raise BadRequest(fault)
    return found[1]


def decode(body: bytes, content_type: str | None, shape: Any) -> Any:
    """Raises BadRequest for what is not JSON or not of this shape, UnsupportedType for another type."""
    if content_type is None or not _JSON_TYPES.match(content_type):
        raise UnsupportedType("The body must be JSON, sent with Content-Type: application/json.")
    try:
        return msgspec.json.decode(body, type=shape, strict=True)
    except RecursionError:
        raise BadRequest("The body is nested too deeply.", errors=[FieldError("", "too deep")]) from None
    except msgspec.ValidationError as fault:
        raise BadRequest(
            "The body has not the expected shape.", errors=[shape_faults.told(fault, shape)]
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadRequest("The body is not JSON.", errors=[FieldError("", str(fault))]) from None
