"""Quotas: how many responses may have one answer.

A quota counts the responses whose index terms (see `filters`) hold its own. So it is set on questions only of
which every answer is sure to be indexed: choices at the top level, and not too many answers before them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from appliance.domain.choices import choices_of
from appliance.domain.element import Question
from appliance.domain.filters import MAX_TERMS, MAX_VALUE, is_filterable, spell_term
from appliance.domain.form import Form
from appliance.domain.survey_core import is_a
from appliance.domain.values import js_text, same_key


class BadQuota(ValueError):
    """What is wrong, and with which field of the quota."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


class Counted(NamedTuple):
    """What a quota counts: the name of the answer in the data, and the index term."""

    key: str
    term: str


def counted(form: Form, name: str, value: Any) -> Counted:
    """Of responses that answered `value` to `name`. Raises BadQuota."""
    filterable = [one for one in form.elements.questions if is_filterable(one)]
    question = next((one for one in form.elements.questions if name in (one.key, one.name)), None)
    if question is None:
        raise BadQuota("question", "the form has no question of this name, or not at its top level")
    if not is_a(question.kind, "selectbase") or question not in filterable:
        raise BadQuota("question", f"a quota counts choices; this is a {question.kind} question")
    before = filterable[: filterable.index(question) + 1]
    if sum(_most_terms(form, one) for one in before) > MAX_TERMS:
        raise BadQuota(
            "question", f"stands behind more than {MAX_TERMS} answers; put it further to the front"
        )
    return Counted(question.key, spell_term(question.key, _choice(form, question, value)))


def _choice(form: Form, question: Question, value: Any) -> str:
    known = choices_of(question, form.context).by_key
    if known is None:
        raise BadQuota("question", "its choices come from another question")
    found = known.get(same_key(value))
    if found is None:
        raise BadQuota("value", "is none of the question's choices")
    text = js_text(found)
    if len(text) > MAX_VALUE:
        raise BadQuota("value", f"has more than {MAX_VALUE} characters")
    return text


def _most_terms(form: Form, question: Question) -> int:
    """Index terms that an answer to it may have."""
    if question.kind in ("checkbox", "tagbox", "ranking", "imagepicker", "imagemap", "slider"):
        known = choices_of(question, form.context).by_key if is_a(question.kind, "selectbase") else None
        return len(known) + 1 if known is not None else MAX_TERMS
    return 1
