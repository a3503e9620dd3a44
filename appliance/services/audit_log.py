"""Reading the audit log."""

from __future__ import annotations

from typing import NamedTuple

from appliance.clock import rfc3339
from appliance.services.account_shapes import AuditEntries, AuditEntry
from appliance.services.context import Context
from appliance.services.users import next_cursor
from appliance.stores import audit
from appliance.stores.mongo import Document


class Filter(NamedTuple):
    """Only entries with these; None is any."""

    actor: str | None
    action: str | None
    subject: str | None


async def newest(context: Context, wanted: Filter, cursor: str | None, limit: int) -> AuditEntries:
    query: Document = {name: value for name, value in wanted._asdict().items() if value is not None}
    scope = "\0".join(("audit", *map(repr, wanted)))
    high = context.cursors.read(scope, cursor) if cursor else None
    page = await audit.newest(context.db, query, high, limit)
    return AuditEntries([_shape(row) for row in page.rows], next_cursor(context, scope, page))


def _shape(row: Document) -> AuditEntry:
    return AuditEntry(
        number=row["number"],
        at=rfc3339(row["at"]),
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        details=row["details"],
        hash=row["hash"],
    )
