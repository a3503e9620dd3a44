from __future__ import annotations

import pytest

from appliance.domain import values


@pytest.mark.parametrize(
    "value, number",
    [("5", 5), (" 5,5 ", 5.5), ("1e3", 1000), ("0x10", 16), (".5", 0.5), ("5.0", 5), (7, 7), (-0.5, -0.5)],
)
def test_numbers(value: object, number: float) -> None:
    assert values.to_number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abc",
        "1_000",
        "nan",
        "Infinity",
        "1e999",
        "5 5",
        "1,2,3",
        "1234567890123456",
        True,
        None,
        [5],
        "٣",
    ],
)
def test_not_numbers(value: object) -> None:
    assert values.to_number(value) is None


@pytest.mark.parametrize(
    "number, text",
    [
        (5.0, "5"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-7, "1e-7"),
        (1.5e-9, "1.5e-9"),
        (0.00001, "0.00001"),
        (-123.25, "-123.25"),
        (10, "10"),
        (True, "true"),
        (["a", None, 1], "a,,1"),
    ],
)
def test_text_is_javascripts(number: object, text: str) -> None:
    assert values.js_text(number) == text


def test_empty() -> None:
    empty: list[object] = [None, "", [], {}, {"a": None, "b": {"c": ""}}]
    for value in empty:
        assert values.is_empty(value)
    full: list[object] = [0, False, "0", " ", [None], {"a": 0}]
    for value in full:
        assert not values.is_empty(value)
    assert values.is_blank("\u3000\ufeff ")


def test_length_counts_utf16() -> None:
    assert values.js_length("a😀é") == 4


def test_choices_that_are_one() -> None:
    assert values.same_key(1) == values.same_key("1") == values.same_key(1.0) == values.same_key("1.0")
    assert values.same_key(True) == values.same_key("true") != values.same_key(1)
    assert values.same_key("a") != values.same_key("A")


def test_texts_in_a_language() -> None:
    text = {"default": "yes", "de": "ja"}
    assert [values.text_in(text, locale) for locale in ("de", "fr", "")] == ["ja", "yes", "yes"]
    assert values.text_in(None, "de") == ""
