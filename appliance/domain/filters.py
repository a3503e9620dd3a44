"""The index terms by which stored responses are found: `name=value`.

Indexed are top-level answers of single-line text, number and date inputs, of all questions with choices, of
boolean, rating and slider: one term for a scalar, one for each item of an array, in the order of the form, at
most MAX_TERMS a response. Not indexed: texts over MAX_VALUE characters, comments, matrices, panels, files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from appliance.domain.answer_text import NUMBERS, input_type
from appliance.domain.choices import choice_text, choices_of
from appliance.domain.element import Question
from appliance.domain.form import Form
from appliance.domain.survey_core import is_a
from appliance.domain.values import js_text, same_key, to_number
from appliance.errors import BadRequest

MAX_TERMS: Final = 64
MAX_VALUE: Final = 200

_SCALARS: Final = frozenset({"boolean", "imagemap", "rating", "slider", "text"})


def filter_terms(form: Form, data: Mapping[str, Any]) -> list[str]:
    """The terms of a stored response, each once."""
    terms: dict[str, None] = {}
    for question in form.elements.questions:
        if is_filterable(question) and question.key in data:
            for text in _texts(question, data[question.key]):
                if len(terms) == MAX_TERMS:
                    return list(terms)
                terms[spell_term(question.key, text)] = None
    return list(terms)


def filter_term(form: Form, name: str, text: str) -> str:
    """The term that finds responses whose answer to `name` is `text`. Raises BadRequest."""
    question = next((one for one in form.elements.questions if name in (one.key, one.name)), None)
    if question is None:
        raise BadRequest(f"filter.{name}: the form has no question of this name")
    if not is_filterable(question):
        raise BadRequest(f"filter.{name}: answers to {question.kind} questions cannot be filtered by")
    if len(text) > MAX_VALUE:
        raise BadRequest(f"filter.{name}: a value to filter by has at most {MAX_VALUE} characters")
    return spell_term(question.key, _canonical(form, question, text))


def is_filterable(question: Question) -> bool:
    return question.kind in _SCALARS or is_a(question.kind, "selectbase")


def _texts(question: Question, value: object) -> Iterator[str]:
    wrapped = question.node.values.get("valuePropertyName")
    for item in value if isinstance(value, list) else [value]:
        if wrapped and isinstance(item, dict):
            item = item.get(js_text(wrapped))
        text = choice_text(item)
        if not isinstance(item, list) and len(text) <= MAX_VALUE:
            yield text


def _canonical(form: Form, question: Question, text: str) -> str:
    """A value as stored answers have it: 3.0 is 3, and a choice is spelled as in the form."""
    if question.kind == "slider" or (question.kind == "text" and input_type(question.node) in NUMBERS):
        number = to_number(text)
        return text if number is None else js_text(number)
    if is_a(question.kind, "selectbase"):
        by_key = choices_of(question, form.context).by_key or {}
        return js_text(by_key.get(same_key(text), text))
    return text


def spell_term(name: str, text: str) -> str:
    """`=` parts name and value, so a name spells its own as %3D."""
    return f"{name.replace('%', '%25').replace('=', '%3D')}={text}"
