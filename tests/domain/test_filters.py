from __future__ import annotations

import pytest

from appliance.domain.filters import MAX_TERMS, filter_term, filter_terms
from appliance.errors import BadRequest
from tests.domain.forms import check_answers, form

FORM = form(
    {"type": "text", "name": "city"},
    {"type": "text", "name": "age", "inputType": "number"},
    {"type": "checkbox", "name": "tags", "choices": ["a", "b", 3]},
    {"type": "boolean", "name": "ok"},
    {"type": "radiogroup", "name": "one", "valueName": "chosen", "choices": [1, 2]},
    {"type": "checkbox", "name": "wrapped", "choices": ["x"], "valuePropertyName": "v"},
    {"type": "text", "name": "a=b"},
    {"type": "comment", "name": "essay"},
    {"type": "matrix", "name": "m", "rows": ["r"], "columns": ["c"]},
)
DATA = {
    "city": "Köln", "age": "3.0", "tags": ["a", "3"], "ok": False, "chosen": "2", "wrapped": [{"v": "x"}],
    "a=b": "c=d", "essay": "long", "m": {"r": "c"},
}  # fmt: skip


def test_terms_of_a_response() -> None:
    assert filter_terms(FORM, check_answers(FORM, DATA)) == [
        "city=Köln", "age=3", "tags=a", "tags=3", "ok=false", "chosen=2", "wrapped=x", "a%3Db=c=d",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name, text",
    [
        ("city", "Köln"),
        ("age", "3"),
        ("age", "3.0"),
        ("age", " 3 "),
        ("tags", "3"),
        ("ok", "false"),
        ("one", "2.0"),
        ("chosen", "2"),
        ("a=b", "c=d"),
        ("wrapped", "x"),
    ],
)
def test_a_query_finds_it(name: str, text: str) -> None:
    assert filter_term(FORM, name, text) in filter_terms(FORM, check_answers(FORM, DATA))


@pytest.mark.parametrize(
    "name, text", [("town", "x"), ("essay", "long"), ("m", "c"), ("city", "x" * 201), ("", "")]
)
def test_a_query_that_cannot_be(name: str, text: str) -> None:
    with pytest.raises(BadRequest, match=f"filter.{name}"):
        filter_term(FORM, name, text)


def test_bounded() -> None:
    many = form({"type": "checkbox", "name": "q", "choices": list(range(200))}, {"type": "text", "name": "t"})
    assert len(filter_terms(many, {"q": list(range(200)), "t": "x"})) == MAX_TERMS
    assert filter_terms(many, {"t": "x" * 201}) == []
    assert filter_terms(many, {"t": "x" * 200}) == ["t=" + "x" * 200]
