"""What others wrote, on a terminal."""

from __future__ import annotations

import pytest

from appliance.ops.table import print_table, shown


def test_a_character_that_steers_a_terminal_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("x\x1b[31m\r\0\n", "y"), ("\u202eevil", "\x9b2J")])
    told = capsys.readouterr().out
    assert told == (
        "A                  B\n"
        "x\\x1b[31m\\r\\x00\\n  y\n"
        "\\u202eevil         \\x9b2J\n"
    )  # fmt: skip


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("Ada Łovelace", "1\u00a0000 €", "日本語\u3000…", "\\x1b", "🙂"):
        assert shown(text) == text
