"""Lines of logs for `appliance support`, by what may be in one: words that the code wrote, numbers, ids.

Texts of errors tell what they were about, which may be an answer: of those that are not in our code only the
kind is told (`support_texts`), and of the lines of other programs not what stands in quotes or braces. A
request is told without its query, and without what names something in its path.
"""

from __future__ import annotations

import functools
import json
import re
from collections import deque
from pathlib import Path
from typing import Any, Final

from appliance.ops import support_texts
from appliance.ops.log_lines import Line, Parser
from appliance.ops.log_times import find_time
from appliance.settings import HOME

_PLAIN: Final = frozenset({
    "time", "ts", "level", "program", "logger", "task_id", "form_id", "form", "worker", "chore",
    "kind", "signal", "caller", "component", "method", "protocol", "alert", "event", "state", "address",
    "upstream_status", "own", "delivery_id", "child", "duration", "version", "exit",
})  # fmt: skip
"""Fields whose text is ours, or an id."""
_TOLD: Final = frozenset({"message", "error", "err", "exception", "why", "reason"})
"""Fields with the text of a fault."""
_OF_OTHERS: Final = "msg"
"""What Prometheus, Alertmanager and mongod call a text: one of their code; what it is about is beside it."""
_NUMERIC: Final = frozenset({"upstream_seconds", "upstream_status"})
_LARGEST: Final = 10**9
"""A number that is larger may be somebody's telephone, unless it counts bytes."""
_PATHS: Final = frozenset({"uri", "path_of_request"})
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|`[^`]*`?|\{[^{}]*\}?")
_UNPAIRED = re.compile(r"(?s)'.*")
_APOSTROPHE = re.compile(r"\w'\w")
_FRAME = re.compile(r"^\s*File \"[^\"]{1,300}\", line \d+(?:, in [\w<>.]+)?$")
_TITLE = re.compile(
    r"^(?:Traceback \(most recent call last\):"
    r"|During handling of the above exception, another exception occurred:"
    r"|The above exception was the direct cause of the following exception:)$"
)
_LAST = re.compile(
    r"^((?:[a-z_]\w{0,60}\.)+[A-Z]\w{0,60}|[A-Z]\w{0,60}(?:Error|Exception|Group|Exit|Interrupt))(?::|$)"
)
"""Of a traceback: a kind with its module, or one that its name says."""
_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
"""As nginx makes one; a caller may send another, and write into it what he likes."""
_MOST: Final = 300
_READ_MORE: Final = 8
"""Times as many bytes of a log are read as are kept: some of each line is left out."""
_NAMED_AFTER: Final = frozenset({"f"})


def as_text(line: Line) -> str | None:
    """None for a request, which goes elsewhere, and for what goes on with a line that is told already.

    Such lines name no time: of a traceback the frames and what kind of fault it was are told.
    """
    if line.fields:
        return None if is_request(line) else json.dumps(_fields(line.fields), ensure_ascii=False)
    if find_time(line.text, {}) is not None:
        return told(line.text)
    if _FRAME.match(line.text) or _TITLE.match(line.text):
        return line.text
    if line.text.startswith((" ", "\t")):
        return None  # the code of a frame, or what goes on with something that was left out
    if found := _LAST.match(line.text):
        return found[1]
    return " ".join(support_texts.kinds(line.text)) or None


def is_request(line: Line) -> bool:
    return line.program == "nginx" and "uri" in line.fields


def as_request(line: Line) -> str:
    fields = _fields(line.fields)
    return json.dumps({name: value for name, value in fields.items() if name not in ("program", "message")})


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, bool | int | float):
            if abs(value) < _LARGEST or name.endswith("bytes"):
                found[name] = value
        elif isinstance(value, str) and (text := _field(name, value)) is not None:
            found[name] = text
    return found


def _field(name: str, value: str) -> str | None:
    if name == "request_id":
        return value if _REQUEST_ID.fullmatch(value) else support_texts.LEFT_OUT
    if name in _PLAIN:
        return value[:_MOST]
    if name in _PATHS:
        return path(value)
    if name == _OF_OTHERS:
        return told(value)
    if name in _TOLD:
        is_traceback = "\n" in value and name != "message"
        return traceback(value) if is_traceback else support_texts.told(value)[:_MOST]
    return value if name in _NUMERIC and re.fullmatch(r"[\d., :\-]{0,40}", value) else None


def told(text: str) -> str:
    """Of a line of another program: without what it quotes, and without what a fault says."""
    before = None
    text = support_texts.before_a_kind(text)
    if text.count("'") % 2 or _APOSTROPHE.search(text):  # nobody can tell where a quote ends
        text = _UNPAIRED.sub(support_texts.LEFT_OUT, text)
    while text != before:  # what is nested
        before, text = text, _QUOTED.sub("…", text)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


def traceback(text: str) -> str:
    """Where it went through, and what kind of fault it was."""
    lines = []
    for line in text.splitlines():
        if _FRAME.match(line) or _TITLE.match(line):
            lines.append(line)
        elif found := _LAST.match(line):
            lines.append(found[1])
    return "\n".join(lines)


def kind(error: str) -> str | None:
    """Of a fault that is told with its traceback or without: `appliance.errors.Unavailable`."""
    kinds = re.findall(r"^([A-Za-z_][\w.]{2,100})(?::|$)", error, re.MULTILINE)
    return kinds[-1] if kinds else None


def path(uri: str) -> str:
    """`/api/v1/forms/*/responses`: the words of the routes, `*` for what names something."""
    words = uri.partition("?")[0].split("/")
    shown = [
        word if not word or (word in _words() and before not in _NAMED_AFTER) else "*"
        for before, word in zip(["", *words], words, strict=False)
    ]
    return "/".join(shown)


@functools.cache
def _words() -> frozenset[str]:
    """All that stand after a slash where the routes are written down."""
    folders = (HOME / "appliance" / "api" / "routes", HOME / "appliance" / "web")
    texts = (file.read_text() for folder in folders for file in folder.glob("*.py"))
    return frozenset(word for text in texts for word in re.findall(r"/([a-z0-9][a-z0-9_.\-]*)", text))


class Tail:
    """The last lines that have room together."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._lines: deque[str] = deque()

    def add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line) + 1
        while self._size > self._most and self._lines:
            self._size -= len(self._lines.popleft()) + 1

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)


def last(folder: Path, since: float, most: int) -> dict[str, Tail]:
    """By the name of the file: a log each program, and `access`. Of each, only its end is read."""
    found: dict[str, Tail] = {}
    for current in sorted(folder.glob("*.log")):
        parser = Parser(current.stem)
        for raw in _end(current, most * _READ_MORE).splitlines():
            line = parser.parse(raw)
            if line.at < since:
                continue
            name = "access" if is_request(line) else line.program
            text = as_request(line) if name == "access" else as_text(line)
            if text is not None:
                found.setdefault(name, Tail(most)).add(text)
    return found


def _end(current: Path, most: int) -> bytes:
    """The last bytes of a program's log, whole lines; what was rotated away is read on in."""
    parts: list[bytes] = []
    left, path, number = most, current, 0
    while left > 0 and path.is_file():
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - left))
            part = file.read(left)
        if size > left:
            part = part.partition(b"\n")[2]
        parts.append(part)
        left -= size
        number += 1
        path = Path(f"{current}.{number}")
    return b"".join(reversed(parts))
