"""What the bundle tells of a log's lines: what our code says, and of faults the kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.ops import support_logs

TIME = "2026-01-31T12:00:00Z"
NAME = "Ada Lovelace"


def told(tmp_path: Path, text: str, program: str = "api-1") -> list[str]:
    (tmp_path / f"{program}.log").write_text(text)
    found = support_logs.last(tmp_path, 0.0001, 100_000)
    return "".join(tail.text() for tail in found.values()).splitlines()


def member(tmp_path: Path, **fields: str) -> dict[str, str]:
    (line,) = told(tmp_path, json.dumps({"time": TIME, **fields}) + "\n")
    assert len(list(tmp_path.iterdir())) == 1
    return {name: value for name, value in json.loads(line).items() if name != "time"}


def test_of_a_plain_traceback_it_tells_the_kind_and_where(tmp_path: Path) -> None:
    frame = '  File "/a/b.py", line 3, in f'
    text = (
        f"{TIME} began\nTraceback (most recent call last):\n{frame}\n    raise ValueError(x)\n"
        f"ValueError: answer … {NAME} lives here\n{NAME}\n{NAME}: she does\nDuring handling of {NAME}\n"
        f"appliance.errors.Invalid: {NAME}\n{TIME} goes on\n"
    )
    assert told(tmp_path, text) == [
        f"{TIME} began", "Traceback (most recent call last):", frame, "ValueError",
        "appliance.errors.Invalid", f"{TIME} goes on",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text,left",
    [
        (f"ValueError: {NAME} lives here", "ValueError …"),
        (f"it wasn't {NAME}", "…"),
        (f"OSError: [Errno 28] {NAME}", "OSError [Errno 28] No space left on device …"),
        ("alerts wait", "alerts wait"),
        (f"Alertmanager answers {NAME}", "Alertmanager answers …"),
    ],
)
def test_of_what_a_line_says_it_tells_what_our_code_says(tmp_path: Path, text: str, left: str) -> None:
    for name in ("error", "message", "why"):
        assert member(tmp_path, **{name: text}) == {name: left}


def test_of_a_line_of_another_program_it_tells_no_quotes_and_no_fault(tmp_path: Path) -> None:
    for text, left in (
        (f"it wasn't '{NAME}' at all", "it wasn…"),
        (f"got ValueError: {NAME} lives here", "got ValueError: …"),
        (f'sent "{NAME}" again', "sent … again"),
    ):
        (line,) = told(tmp_path, f"2026/01/31 12:00:00 [error] {text}\n", "nginx")
        assert line.startswith(f"2026/01/31 12:00:00 [error] {left}") and NAME not in line


def test_what_prometheus_says_is_of_its_code(tmp_path: Path) -> None:
    told = {"msg": "Completed load of rules"}
    assert member(tmp_path, **told) == told


def test_an_id_of_a_request_that_a_caller_made_up_is_left_out(tmp_path: Path) -> None:
    for given, left in (("a" * 32, "a" * 32), (NAME, "…"), ("a" * 33, "…"), ("a" * 32 + "\n", "…")):
        line = json.dumps({"time": TIME, "uri": "/healthz", "request_id": given})
        (request,) = told(tmp_path, f"{line}\n", "nginx")
        assert json.loads(request)["request_id"] == left
