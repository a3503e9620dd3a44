from __future__ import annotations

import time

import pytest

from appliance.domain.pattern import compile_pattern


@pytest.mark.parametrize(
    "source, yes, no",
    [
        (r"^\d{3}-\d{2}$", "123-45", "１２３-45"),
        (r"^.$", "é", "\u2028"),
        (r"^\s$", "\u00a0", "a"),
        (r"^[\s\-]$", "\ufeff", "b"),
        (r"^[^]$", "\n", "ab"),
        (r"^\u00e9\x41$", "éA", "eA"),
        (r"^\/a\_b\@$", "/a_b@", "a"),
        (r"^(?<year>\d+)$", "2024", "x"),
        (r"^[a\]b]$", "]", "c"),
        (r"^[[]$", "[", "x"),
        (r"^a{2,3}$", "aa", "a"),
        (r"^\bab\b$", "ab", "abc"),
        (r"^a$", "a", "a\n"),
    ],
)
def test_as_javascript(source: str, yes: str, no: str) -> None:
    matches = compile_pattern(source)
    assert matches(yes)
    assert not matches(no)


@pytest.mark.parametrize(
    "source, reason",
    [
        (r"(a+)\1", "back-reference"),
        (r"(?<n>a)\k<n>", "back-reference"),
        ("(?=a)", "look-ahead"),
        ("(?!a)", "look-ahead"),
        ("(?<=a)b", "look-behind"),
        ("(?i)a", "invalid group"),
        ("(", "missing"),
        ("[", "missing"),
        ("*", "repetition"),
        ("^*a", "nothing to repeat"),
        (r"a\b+", "nothing to repeat"),
        ("a${1,}", "nothing to repeat"),
        ("[b-a]", "range"),
        ("a{2000}", "repetition"),
        ("((((a{9}){9}){9}){9}){9}", "repetition"),
        ("\\", "at the end"),
        (r"\p{L}", "not supported"),
        (r"[\S]", "not supported"),
        (r"\ud800", "surrogate"),
    ],
)
def test_refused_with_a_reason(source: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compile_pattern(source)


@pytest.mark.parametrize(
    "source", ["^(a+)+$", "^(a|aa)+$", r"^(\w+\s?)*$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_the_patterns_that_stop_backtracking_engines(source: str) -> None:
    matches = compile_pattern(source)
    begun = time.process_time()
    matches("a" * 60_000 + "!")
    assert time.process_time() - begun < 1
