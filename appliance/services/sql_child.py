"""A child process that asks the lake what somebody wrote: a question in, an answer out, then it ends.

In: one line of JSON (`Question`), then the fresh responses as an Arrow stream. Out: one line of JSON
(`Told`), then the rows as JSON or CSV. It holds itself down in memory and time, whatever it is asked, and
gives up all rights over files but to read the lake. It also judges the statement: a parser is no less
easily kept busy than an engine (3,000 parentheses around a table take it 20 s).
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from appliance import landlock
from appliance.services import children

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY = 2 * 2**30
"""Of address space; DuckDB itself is held to less."""
CPU_SECONDS = 20
LARGEST = 32 * 2**20
"""Bytes of an answer."""
_CODE = (sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64")
_MACHINE = ("/proc/self", "/proc/meminfo", "/sys/fs/cgroup")
"""What DuckDB wants to know of it."""
_SPILL = "/.spill"
"""In what DuckDB says when it cannot put aside what does not fit into its memory."""

Form = Literal["json", "csv"]


class Question(msgspec.Struct):
    lake: str
    sql: str
    scope: Any
    """As `asking.Scope` has it."""
    seconds: float
    rows: int
    """At most."""
    form: Form = "json"


class Told(msgspec.Struct, omit_defaults=True):
    """Why there is no answer, or whether the rows are all there are."""

    fault: str | None = None
    is_whole: bool = True


def main() -> None:
    children.hold_down(int(sys.argv[1]), MEMORY, CPU_SECONDS)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # nothing is ever written, also without Landlock
    line, _, stream = sys.stdin.buffer.read().partition(b"\n")
    question = msgspec.json.decode(line, type=Question)
    try:
        told, body = _answer(question, stream)
    except MemoryError:
        told, body = _too_much_memory(), b""
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n" + body)


def _answer(question: Question, stream: bytes) -> tuple[Told, bytes]:
    import duckdb
    import pyarrow as pa

    from appliance.analytics import asking, engine, sql_check
    from appliance.analytics.lake import Lake

    landlock.only_read([Path(question.lake), Path(__file__).parents[1], *map(Path, (*_CODE, *_MACHINE))])
    fresh: pa.Table | None = pa.ipc.open_stream(stream).read_all() if stream else None
    try:
        sql_check.check(question.sql)
        rows = asking.ask(
            Lake(Path(question.lake)),
            question.sql,
            msgspec.convert(question.scope, asking.Scope),
            fresh,
            seconds=question.seconds,
            most=question.rows + 1,
        )
    except (sql_check.NotAllowed, engine.TooSlow) as fault:
        return Told(str(fault)), b""
    except duckdb.Error as fault:
        if isinstance(fault, duckdb.OutOfMemoryException) or _SPILL in str(fault):
            return _too_much_memory(), b""  # it may not put anything aside
        return Told(str(fault)[:1000]), b""
    except (ValueError, OverflowError):
        return Told("It gives a time that JSON has no words for; cast it to text: CAST(… AS VARCHAR)."), b""
    kept = rows[: question.rows]
    body = _csv(kept) if question.form == "csv" else msgspec.json.encode(kept)
    if len(body) > LARGEST:
        return Told(f"The answer has more than {LARGEST >> 20} MiB; ask for fewer rows or columns."), b""
    return Told(is_whole=len(rows) <= question.rows), body


def _too_much_memory() -> Told:
    return Told("It needs more memory than a statement may have.")


def _csv(rows: list[dict[str, Any]]) -> bytes:
    """Lists and structs are JSON; without a row it is empty."""
    from appliance.services import analytics_csv
    from appliance.stores.export_csv import escaped

    flat = [{escaped(name): _flat(value) for name, value in row.items()} for row in rows]
    return analytics_csv.lines(list(flat[0]), flat) if flat else b""


def _flat(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    told = msgspec.json.encode(value).decode()
    return told[1:-1] if told.startswith('"') else told


if __name__ == "__main__":
    main()
