"""What of a response is free text: what analyses read and search by meaning finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from appliance.domain.columns import Column
from appliance.services import export_making
from appliance.services.context import Context
from appliance.stores.mongo import Document

_WORDS = 3
"""Of an answer to be free text: fewer are a name, an address, a number."""


class Text(NamedTuple):
    response_id: str
    text: str


async def reader(context: Context, form_id: str) -> Callable[[Document], str]:
    """For a response's row, its answers of some words to questions for text, a line each; "" without any.

    Raises NotFound.
    """
    columns = await export_making.columns_of(context, form_id)
    texts = [column for column in columns.main.columns if column.kind == "text"]

    def text(row: Document) -> str:
        found = (_value(row["data"], column) for column in texts)
        return "\n".join(each for each in found if len(each.split()) >= _WORDS)

    return text


def _value(data: Any, column: Column) -> str:
    for part in column.path:
        data = data.get(part) if isinstance(data, dict) else None
    return data.strip() if isinstance(data, str) else ""
