"""The JSON shapes of exports and imports of responses."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from appliance.services.shapes import Moment, WebAddress

Format = Literal["csv", "xlsx", "ndjson", "parquet"]
Media = Literal["csv", "ndjson"]
"""What an import takes."""
Status = Literal["accepted", "flagged", "deleted"]
TableName = Annotated[str, Meta(min_length=1, max_length=1000)]
ZoneName = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=200)]


class StartExport(Struct, forbid_unknown_fields=True, kw_only=True):
    """`filter` is what `filter.<question>` is elsewhere; `time_zone` is by default the form's, else UTC."""

    format: Format
    table: TableName | None = None
    bom: bool = False
    time_zone: ZoneName | None = None
    start: Moment | None = msgspec.field(default=None, name="from")
    end: Moment | None = msgspec.field(default=None, name="to")
    status: Status | None = None
    filter: Annotated[dict[Text, Text], Meta(max_length=5)] = {}
    webhook_url: WebAddress | None = None


class ImportDone(Struct, kw_only=True):
    """The result of an import's task. The report has one JSON object a refused line."""

    accepted: int
    refused: int
    report_url: str
    expires_at: str


class ExportDone(Struct, kw_only=True):
    """The result of an export's task. `sha256` is in hexadecimal."""

    export_id: str
    export_url: str
    rows: int
    bytes: int
    sha256: str
    expires_at: str
