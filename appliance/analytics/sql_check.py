"""Whether a statement that somebody wrote may be asked of the lake: one SELECT over `responses`, no more.

DuckDB itself parses it (`json_serialize_sql` takes SELECT alone); what is in the tree is compared with what
is known to be harmless, so that a function or kind of table that is not listed is refused, also a new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb

LONGEST: Final = 10_000
"""Characters of a statement."""
TABLE: Final = "responses"
FUNCTIONS: Final = frozenset(Path(__file__).with_name("sql_functions.txt").read_text("utf-8").split())
_TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
_REFUSED: Final = {"SHOW_REF": "DESCRIBE and SHOW", "COLUMN_DATA": "such a table"}


class NotAllowed(Exception):
    """Says what in the statement is not allowed."""


def check(sql: str) -> None:
    """Raises NotAllowed."""
    statements = _parsed(sql)
    if len(statements) != 1:
        raise NotAllowed("One SELECT is needed, and there are several statements.")
    nodes = list(_nodes(statements[0]))
    own = {name for node in nodes for name in _ctes(node)}
    for node in nodes:
        _check(node, own)


def _parsed(sql: str) -> list[Any]:
    if not sql.strip() or len(sql) > LONGEST or "\0" in sql:
        raise NotAllowed(f"A statement of 1 to {LONGEST} characters is needed.")
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as connection:
        row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    told = json.loads(row[0]) if row else {}
    if told.get("error"):
        raise NotAllowed(f"One SELECT is needed: {told.get('error_message', 'it cannot be read')}")
    return list(told["statements"])


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _ctes(node: dict[str, Any]) -> Iterator[str]:
    listed = node.get("cte_map") or {}
    yield from (str(entry["key"]).casefold() for entry in listed.get("map", ()))


def _check(node: dict[str, Any], own: set[str]) -> None:
    kind = node.get("type")
    if kind in _REFUSED:
        raise NotAllowed(f"{_REFUSED[kind]} cannot be asked for.")
    if kind == "TABLE_FUNCTION":
        name = str((node.get("function") or {}).get("function_name", "")).casefold()
        if name not in _TABLE_FUNCTIONS:
            raise NotAllowed(f"The table function {name} is not allowed; the table is {TABLE}.")
    if kind == "BASE_TABLE":
        path = (node.get("qualified_name") or {}).get("path") or [node.get("table_name")]
        if len(path) != 1 or str(path[0]).casefold() not in own | {TABLE}:
            raise NotAllowed(f"There is no table {'.'.join(map(str, path))}; there is {TABLE}.")
    if node.get("class") in ("FUNCTION", "WINDOW") and "function_name" in node:
        name = str(node["function_name"]).casefold()
        if name and name not in FUNCTIONS:
            raise NotAllowed(f"The function {name} is not allowed.")
