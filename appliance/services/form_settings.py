"""A form's settings: checked, merged, and as they are stored."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

import msgspec

from appliance.clock import is_moment, is_time_zone, rfc3339
from appliance.errors import BadRequest, FieldError
from appliance.services import shape_faults, shapes
from appliance.services.context import Context
from appliance.stores.mongo import Document


async def stored_settings(context: Context, known: Document, changes: dict[str, Any]) -> Document:
    """Settings as stored: only what differs from the default, the PIN as a hash. Raises BadRequest."""
    merged = {**known, **changes}
    kept_pin = known.get("pin") if "pin" not in changes else None
    given = {name: value for name, value in merged.items() if value is not None and name != "pin"}
    if changes.get("pin") is not None:
        given["pin"] = changes["pin"]
    given = {name: rfc3339(v) if hasattr(v, "isoformat") else v for name, v in given.items()}
    try:
        settings = msgspec.convert(given, shapes.FormSettings)
    except msgspec.ValidationError as fault:
        raise _problem(fault) from None
    _check_together(settings)
    stored = cast(Document, msgspec.to_builtins(settings, builtin_types=(dt.datetime,)))
    if settings.pin is not None:
        stored["pin"] = await context.passwords.hash(settings.pin)
    elif kept_pin is not None:
        stored["pin"] = kept_pin
    return stored


def _problem(fault: msgspec.ValidationError) -> BadRequest:
    """What msgspec says of one setting, as a problem that names its place."""
    found = shape_faults.told(fault, shapes.FormSettings)
    return BadRequest("A setting is not valid.", errors=[FieldError(f"/settings{found.path}", found.message)])


def _check_setting(name: str, value: object) -> None:
    """What the shape cannot say. Raises BadRequest."""
    texts = value if isinstance(value, list) else [value]
    message = None
    if name != "consent" and any(isinstance(text, str) and not text.isprintable() for text in texts):
        message = "must not hold line ends or other control characters"
    if isinstance(value, dt.datetime) and not is_moment(value):
        message = "must lie in the years 1970 to 9000"
    if message is not None:
        fault = FieldError(f"/settings/{name}", message)
        raise BadRequest("A setting is not valid.", errors=[fault])


def _check_together(settings: shapes.FormSettings) -> None:
    for name, value in msgspec.structs.asdict(settings).items():
        _check_setting(name, value)
    opens, closes = settings.opens_at, settings.closes_at
    if opens is not None and closes is not None and opens >= closes:
        fault = FieldError("/settings/closes_at", "closes_at must be after opens_at")
        raise BadRequest("The form would close before it opens.", errors=[fault])
    if len(set(settings.categories)) != len(settings.categories):
        fault = FieldError("/settings/categories", "each category must be named once")
        raise BadRequest("A category is named twice.", errors=[fault])
    if settings.time_zone is not None and not is_time_zone(settings.time_zone):
        fault = FieldError(
            "/settings/time_zone", "not a time zone of the IANA database, such as Europe/Berlin"
        )
        raise BadRequest("There is no such time zone.", errors=[fault])
