"""The child that reads a file of somebody else's form and makes a definition of it, or says what is wrong.

It may use MEMORY bytes and CPU_SECONDS; whoever started it kills it when its time is over.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from appliance.domain import schema_import
from appliance.domain.imported import Imported
from appliance.domain.xlsform import convert
from appliance.errors import FieldError, Invalid
from appliance.services import children, spreadsheets
from appliance.services.import_shapes import Answer, FormWarning, Question

MEMORY = 512 * 1024 * 1024
CPU_SECONDS = 5


def main(parent: int) -> None:
    children.hold_down(parent, MEMORY, CPU_SECONDS)
    sys.modules["numpy"] = None  # type: ignore[assignment] # openpyxl takes it along where it is: much memory
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer(question)))


def answer(question: Question) -> Answer:
    try:
        made = _made(question)
    except Invalid as refusal:
        return Answer(refused=refusal.detail, errors=_told(refusal.errors))
    return Answer(made.title, made.definition, _told(made.warnings))


def _made(question: Question) -> Imported:
    if question.source == "xlsform":
        return convert.convert(spreadsheets.read(question.body))
    return schema_import.convert(_json(question.body))


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Invalid(schema_import.DETAIL, errors=[FieldError("", f"this is no JSON: {fault}")]) from None
    except RecursionError:
        raise Invalid(schema_import.DETAIL, errors=[FieldError("", "nested too deeply")]) from None


def _told(found: tuple[FieldError, ...]) -> list[FormWarning]:
    return [FormWarning(one.path, one.message) for one in found]


if __name__ == "__main__":
    main(int(sys.argv[1]))
