"""A child process that asks the lake what somebody wrote: a question in, an answer out, then it ends.

In: one line of JSON (`Question`), then the fresh responses as an Arrow stream. Out: JSON, `rows` and whether
that is all, or `fault`. It holds itself down in memory and time, whatever it is asked.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import msgspec

from appliance.services import children

MEMORY = 3 * 2**30
"""Of address space; DuckDB itself is held to less."""
CPU_SECONDS = 20


class Question(msgspec.Struct):
    lake: str
    sql: str
    forms: list[str] | None
    time_zone: str
    seconds: float
    rows: int
    """At most."""


def main() -> None:
    children.hold_down(int(sys.argv[1]), MEMORY, CPU_SECONDS)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # nothing is ever written
    line, _, stream = sys.stdin.buffer.read().partition(b"\n")
    answer = _answer(msgspec.json.decode(line, type=Question), stream)
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def _answer(question: Question, stream: bytes) -> dict[str, Any]:
    import duckdb
    import pyarrow as pa

    from appliance.analytics import asking, engine
    from appliance.analytics.lake import Lake

    fresh = pa.ipc.open_stream(stream).read_all() if stream else None
    scope = asking.Scope(question.forms, time_zone=question.time_zone)
    try:
        rows = asking.ask(
            Lake(Path(question.lake)),
            question.sql,
            scope,
            fresh,
            seconds=question.seconds,
            most=question.rows + 1,
        )
    except engine.TooSlow as fault:
        return {"fault": str(fault), "kind": "slow"}
    except duckdb.Error as fault:
        return {"fault": str(fault)[:500], "kind": "sql"}
    return {"rows": rows[: question.rows], "is_whole": len(rows) <= question.rows}


if __name__ == "__main__":
    main()
