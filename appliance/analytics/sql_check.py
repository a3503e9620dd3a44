"""Whether a statement that somebody wrote may be asked of the lake: one SELECT over its tables, no more.

DuckDB itself parses it (`json_serialize_sql` takes SELECT alone); what is in the tree is compared with what
is known to be harmless, so that whatever is not listed is refused: also what a later DuckDB brings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from appliance.analytics.tables import TABLES as OTHERS

LONGEST: Final = 10_000
"""Characters of a statement."""
TABLES: Final = frozenset({"responses", *OTHERS})
FUNCTIONS: Final = frozenset(Path(__file__).with_name("sql_functions.txt").read_text("utf-8").split())
_TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
_PARTS: Final = frozenset(
    "SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE "
    "BASE_TABLE SUBQUERY JOIN TABLE_FUNCTION EXPRESSION_LIST EMPTY PIVOT "
    "ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER".split()
)
"""Of a statement: queries, what they read, and how that is ordered and cut."""
_EXPRESSIONS: Final = frozenset(
    "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA LAMBDA_REF "
    "OPERATOR POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW".split()
)
_NOWHERE: Final = 2**64 - 1


class NotAllowed(Exception):
    """Says what in the statement is not allowed, and where."""


class _Fault(Exception):
    def __init__(self, words: str, at: int = _NOWHERE) -> None:
        super().__init__(words)
        self.at = at
        """Bytes before it."""


class _Seen(NamedTuple):
    node: dict[str, Any]
    ctes: frozenset[str]
    """Names that stand there for queries of the statement's own."""


def check(sql: str) -> None:
    """Raises NotAllowed."""
    try:
        for seen in _seen(_parsed(sql)):
            _check(seen)
    except _Fault as fault:
        raise NotAllowed(f"{fault}{_place(sql, fault.at)}") from None


def _parsed(sql: str) -> dict[str, Any]:
    if not sql.strip() or len(sql) > LONGEST or "\0" in sql:
        raise _Fault(f"A statement of 1 to {LONGEST} characters is needed.")
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as connection:
        try:
            row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
            told = json.loads(row[0]) if row else {}
        except (duckdb.Error, ValueError, RecursionError):
            raise _Fault("The statement is nested too deeply, or not text.") from None
    if told.get("error"):
        fault = told.get("error_message", "it cannot be read")
        if "serialized" in fault:  # that is how DuckDB says that it is none
            fault = "this is another kind of statement"
        raise _Fault(f"One SELECT is needed: {fault}", int(told.get("position", _NOWHERE)))
    if len(told["statements"]) != 1:
        raise _Fault("One SELECT is needed, and there are several statements.")
    found: dict[str, Any] = told["statements"][0]
    return found


def _seen(tree: Any) -> Iterator[_Seen]:
    """Each node. As in DuckDB, a query sees those that its WITH has before it, and itself if it recurs."""
    waiting: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while waiting:
        node, ctes = waiting.pop()
        if isinstance(node, list):
            waiting += [(each, ctes) for each in node]
        elif isinstance(node, dict):
            for entry in (node.get("cte_map") or {}).get("map", ()):
                name, query = _lower(entry["key"]), entry["value"]
                recurs = query.get("query_node", {}).get("type") == "RECURSIVE_CTE_NODE"
                waiting.append((query, ctes | {name} if recurs else ctes))
                ctes |= {name}
            waiting += [(each, ctes) for key, each in node.items() if key != "cte_map"]
            yield _Seen(node, ctes)


def _lower(name: Any) -> str:
    """As DuckDB compares names: only the letters A to Z have two forms. With `casefold` a query of one's own
    whose name has a long s (U+017F) would stand for a table of DuckDB's with a plain one.
    """
    return "".join(chr(ord(sign) + 32) if "A" <= sign <= "Z" else sign for sign in str(name))


def _check(seen: _Seen) -> None:
    node = seen.node
    at = int(node.get("query_location", _NOWHERE))
    if "class" in node:
        if node["class"] == "PARAMETER":
            raise _Fault("There is nothing to put in place of a parameter.", at)
        if node["class"] not in _EXPRESSIONS:
            raise _Fault(f"{node['class']} is not allowed.", at)
        if "function_name" in node:
            _check_name(node, FUNCTIONS, "function", at)
    elif "query_location" in node or str(node.get("type")).endswith("_NODE"):
        _check_part(seen, at)


def _check_part(seen: _Seen, at: int) -> None:
    node = seen.node
    kind = node["type"]
    if kind == "SHOW_REF":
        raise _Fault("DESCRIBE, SHOW and SUMMARIZE cannot be asked for.", at)
    if kind not in _PARTS:
        raise _Fault(f"{kind} is not allowed.", at)
    if kind == "TABLE_FUNCTION":
        _check_name(node["function"], _TABLE_FUNCTIONS, "table function", at)
    if kind == "BASE_TABLE":
        path = node["qualified_name"]["path"]
        if len(path) != 1 or _lower(path[0]) not in seen.ctes | TABLES:
            raise _Fault(f"There is no table {'.'.join(path)}; there are {', '.join(sorted(TABLES))}.", at)


def _check_name(function: dict[str, Any], allowed: frozenset[str], what: str, at: int) -> None:
    path = function["qualified_name"]["path"]
    if len(path) != 1 or _lower(path[0]) not in allowed:
        raise _Fault(f"The {what} {'.'.join(path)} is not allowed.", at)


def _place(sql: str, at: int) -> str:
    raw = sql.encode()
    if at >= len(raw):
        return ""
    before = raw[:at].decode(errors="replace")
    return f" (line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))})"
