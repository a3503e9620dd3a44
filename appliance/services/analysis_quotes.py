"""Quotes of respondents: kept as places, and read from the responses' own results when somebody looks.

So what was deleted or changed is quoted no more, from that moment on, by whatever path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from appliance.ai import texts
from appliance.services.context import Context
from appliance.stores import ai_results
from appliance.stores.mongo import Document


class Key(NamedTuple):
    response_id: str
    revision: int
    sentence: int


def key(quote: Mapping[str, Any]) -> Key:
    return Key(quote["response_id"], quote["revision"], quote["sentence"])


async def words(context: Context, quotes: Iterable[Document]) -> dict[Key, str]:
    """The sentences, of those responses that still say so; in the order of the quotes."""
    wanted = [key(quote) for quote in quotes]
    fields = ("revision", "prompt")
    rows = await ai_results.by_ids(context.db, sorted({each.response_id for each in wanted}), fields)
    found: dict[Key, str] = {}
    for each in wanted:
        row = rows.get(each.response_id)
        if row is not None and row["revision"] == each.revision:
            listed = texts.sentences(row["prompt"], each.sentence + 1)
            found[each] = listed[each.sentence]
    return found
