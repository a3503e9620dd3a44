"""The JSON shapes of half-filled responses."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from appliance.services.shapes import Version

Page = Annotated[str, Meta(max_length=200)] | Annotated[int, Meta(ge=0, le=10_000)]


class SavePartial(Struct, forbid_unknown_fields=True, kw_only=True):
    """`data` need not fit the form yet. `page` is the name or the number of the page that was left."""

    data: dict[str, Any]
    form_version: Version | UnsetType = UNSET
    page: Page | None = None


class Partial(Struct, kw_only=True):
    """`form_version` is the version that was being filled in; there may be a newer one by now."""

    form_id: str
    form_version: int
    data: msgspec.Raw
    page: str | int | None
    created_at: str
    updated_at: str
    expires_at: str
