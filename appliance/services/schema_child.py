"""The child that compiles a user's schema and may judge one response: JSON in, its faults out, then it ends.

It may use MEMORY bytes and CPU_SECONDS; whoever started it kills it when its time is over. A schema that took
more than COMPILE_CPU to compile is refused, because each response to it would cost that again.
"""

from __future__ import annotations

import sys
import time

import msgspec

from appliance.domain.schema_form import SchemaRules
from appliance.domain.schema_walk import ROOT
from appliance.errors import FieldError, Invalid
from appliance.services import children

MEMORY = 512 * 1024 * 1024
CPU_SECONDS = 10
COMPILE_CPU = 1.0


def main(parent: int) -> None:
    children.hold_down(parent, MEMORY, CPU_SECONDS)
    faults = _judge(msgspec.json.decode(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(msgspec.json.encode([(fault.path, fault.message) for fault in faults]))


def _judge(question: dict[str, object]) -> tuple[FieldError, ...]:
    schema = question["schema"]
    assert isinstance(schema, dict)  # noqa: S101 (our own parent sends it)
    started = time.process_time()
    try:
        rules = SchemaRules(schema)
        rules.compile()
        if "data" in question:
            rules.check_at_any_cost(question["data"])
        elif time.process_time() - started > COMPILE_CPU:
            return (FieldError(ROOT, "takes too long to compile"),)
    except Invalid as refusal:
        return refusal.errors
    return ()


if __name__ == "__main__":
    main(int(sys.argv[1]))
