"""What of a response is free text: what analyses read and search by meaning finds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from appliance.domain.columns import Column
from appliance.stores.mongo import Document

if TYPE_CHECKING:
    from appliance.services.context import Context

_WORDS = 3
"""Of an answer to be free text: fewer are a name, an address, a number."""
_KEPT = 200

TextOf = Callable[[Document], str]


class Text(NamedTuple):
    response_id: str
    text: str


async def reader(context: Context, form_id: str) -> TextOf:
    """For a response's row, its answers of some words to questions for text, a line each; "" without any.

    Raises NotFound.
    """
    from appliance.services import export_making

    columns = await export_making.columns_of(context, form_id)
    texts = [column for column in columns.main.columns if column.kind == "text"]

    def text(row: Document) -> str:
        found = (_value(row["data"], column) for column in texts)
        return "\n".join(each for each in found if len(each.split()) >= _WORDS)

    return text


class Readers:
    """The readers of forms, kept in the process: a form's is another one with each version."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], TextOf] = OrderedDict()

    async def get(self, context: Context, form_id: str) -> TextOf:
        """Raises NotFound."""
        key = form_id, int((await context.forms.get(form_id)).row["version"])
        if key not in self._kept:
            self._kept[key] = await reader(context, form_id)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]


def _value(data: Any, column: Column) -> str:
    for part in column.path:
        data = data.get(part) if isinstance(data, dict) else None
    return data.strip() if isinstance(data, str) else ""
