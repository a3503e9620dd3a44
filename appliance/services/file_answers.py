"""The uploaded files that answers name: each must be there, of that question, and nobody else's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from appliance.domain.answer import DETAIL, ROOT
from appliance.domain.faults import Faults
from appliance.domain.file_questions import Named
from appliance.domain.file_rule import file_of
from appliance.domain.message import Said
from appliance.domain.rules import Languages, Rules
from appliance.services.context import Context
from appliance.stores import files, responses
from appliance.stores.mongo import Document


async def resolve(
    context: Context,
    form_id: str,
    rules: Rules,
    data: dict[str, Any],
    wanted: Languages,
    own: str | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """The data with the names and types that were uploaded, and the ids of its files. `own`: the response
    that is edited, whose files it may name. Raises Invalid with each fault below /data, told in the first
    language of those wanted that the form can speak.
    """
    if not rules.files:
        return data, []
    data = copy.deepcopy(data)  # what was sent stays as it was sent
    places = [(one, file_of(one.content)) for one in rules.files.named(data, ROOT)]
    ids = [found[1] for _, found in places if found is not None and found[0] == form_id]
    known = await files.find_many(context.db, form_id, ids) if ids else {}
    owners = await responses.owners_of_files(context.db, ids)
    taken: set[str] = {file_id for file_id, owner in owners.items() if owner != own}
    faults = Faults(rules.language(wanted))
    for one, found in places:
        row = known.get(found[1]) if found is not None and found[0] == form_id else None
        message = _fault(one, found, row, taken)
        if message is not None:
            faults.add(one.path, message)
        elif row is not None:
            one.put(row["name"], row["type"])
            taken.add(row["_id"])
    faults.raise_any(DETAIL)
    return data, list(known)


def _fault(
    one: Named, found: tuple[str, str] | None, row: Mapping[str, Any] | None, taken: set[str]
) -> Said | None:
    if found is None:
        return "upload the file first, and name it by its content" if one.rule.apart else None
    if row is None or one.rule.name != row["question"]:
        return "no such file was uploaded for this question, or it is gone; upload it again"
    if row["_id"] in taken:
        return "this file belongs to another answer; upload it again"
    return one.rule.fault(row["name"], row["type"], row["size"])


def all_files(row: Document, ids: list[str]) -> list[str]:
    """Of an edited response: its history still names those of before."""
    return list(dict.fromkeys([*row.get("files", ()), *ids]))
