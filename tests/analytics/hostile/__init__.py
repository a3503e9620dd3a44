"""Statements that somebody hostile writes, beside this file: `refused.sql`, `stopped.sql`, `scoped.sql`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent


class Hostile(NamedTuple):
    words: str
    """That are said of it; empty where that is open."""
    sql: str


def read(name: str, **places: str) -> list[Hostile]:
    """Paragraphs; what stands in for a place (`{lake}`) is put in."""
    text = (_FOLDER / f"{name}.sql").read_text("utf-8")
    for place, value in places.items():
        text = text.replace(f"{{{place}}}", value)
    return [_one(paragraph) for paragraph in text.strip().split("\n\n")[1:]]


def _one(paragraph: str) -> Hostile:
    first, _, rest = paragraph.partition("\n")
    return Hostile(first.removeprefix("-- "), rest) if first.startswith("-- ") else Hostile("", paragraph)


NESTED = {
    "parentheses": "SELECT " + "(" * 4_900 + "1" + ")" * 4_900,
    "parentheses around a table": "SELECT * FROM " + "(" * 3_000 + "responses" + ")" * 3_000,
    "not": "SELECT " + "NOT " * 2_400 + "true",
    "lists": "SELECT " + "[" * 4_900 + "]" * 4_900,
    "structs": "SELECT " + "{'a':" * 1_600 + "1" + "}" * 1_600,
    "subqueries": "SELECT " + "(SELECT " * 1_000 + "1" + ")" * 1_000,
    "calls": "SELECT " + "abs(" * 1_900 + "1" + ")" * 1_900,
    "cases": "SELECT " + "CASE WHEN true THEN " * 400 + "1" + " END" * 400,
    "casts": "SELECT 1" + "::INT" * 1_900,
    "sums": "SELECT 1" + "+1" * 4_900,
    "joins": "SELECT count(*) FROM responses" + " JOIN responses USING (form_id)" * 300,
    "too long": "SELECT 1 -- " + "x" * 10_000,
    "no text": "SELECT 'a\0b'",
    "nothing": " \n",
}
"""Statements that are deep or long, by what they repeat."""
BUSY = frozenset({"parentheses around a table", "joins"})
"""Of these, those that keep a parser or planner busy until the process is killed."""
