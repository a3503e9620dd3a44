"""When two spellings are the same answer."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from appliance.domain import subject


@pytest.mark.parametrize(
    "written, asked",
    [
        ("Weiß", "WEISS"),
        ("WEISS", "weiß"),
        (unicodedata.normalize("NFD", "José Núñez"), "josé núñez"),
        ("\u212aelvin", "kelvin"),
        ("\u017fu\ufb01", "sufi"),
        ("ada@example.org\u200b", "ada@example.org"),
        ("\ufeffa\u00adda ", "\u00a0ADA"),
        ("e\u200b\u0301", "é"),
        ("\uff21\uff24\uff21", "ada"),
    ],
)
def test_the_same_however_it_is_written(written: str, asked: str) -> None:
    assert subject.answers({"q": [written]}, subject.spelled(asked))


@pytest.mark.parametrize(
    "written, asked", [("Weis", "Weiß"), ("jose", "josé"), ("a da", "ada"), ("\u200b", "a")]
)
def test_another_one(written: str, asked: str) -> None:
    assert not subject.answers({"q": written}, subject.spelled(asked))


def test_no_character_that_is_spelled_in_ascii_escapes_the_sieve() -> None:
    characters = (chr(code) for code in range(0x80, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    for character in characters:
        spelled = subject.spelled(f"a{character}a")
        assert not spelled.isascii() or subject.may_hide_ascii(character.encode()), hex(ord(character))
        assert unicodedata.category(character) != "Cf" or spelled == "aa", hex(ord(character))
    assert not subject.may_hide_ascii("plain, and José Núñez, 東京".encode())
