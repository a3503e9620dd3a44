"""What judges the answers to one version of a form, whichever way the form was given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from appliance.domain.answer import check_answers
from appliance.domain.columns import ColumnMap
from appliance.domain.file_questions import FilePlan, file_plan
from appliance.domain.filters import filter_term, filter_terms
from appliance.domain.form import Form, compile_definition
from appliance.domain.json_schema import json_schema
from appliance.domain.language import choose
from appliance.domain.quota import Counted, counted
from appliance.domain.survey_columns import survey_columns

Languages = Iterable[str | None]
"""Tags as in BCP 47; None where nobody said."""


class Rules(Protocol):
    """Keep it: making it costs milliseconds, asking it microseconds."""

    def check(self, data: object, now: dt.datetime, wanted: Languages = ()) -> dict[str, Any]:
        """The data as stored; `now` is the time in expressions, `wanted` the languages for messages, the best
        first, of which the form may speak none. Raises Invalid with each fault below /data;
        TooCostly (see `schema_form`)."""

    def terms(self, data: Mapping[str, Any]) -> list[str]:
        """The index terms by which the stored response is found."""

    def term(self, name: str, text: str) -> str:
        """The term that finds responses whose answer to `name` is `text`. Raises BadRequest."""

    def schema(self) -> dict[str, Any]:
        """The JSON Schema 2020-12 of the data."""

    @property
    def files(self) -> FilePlan:
        """Where the data may name uploaded files."""

    def language(self, wanted: Languages) -> str:
        """survey-core's name of the one that faults are told in."""

    def quota(self, question: str, value: Any) -> Counted:
        """What a quota of this answer counts. Raises BadQuota."""

    def columns(self) -> ColumnMap:
        """The flat columns of the data."""


@dataclass(frozen=True, slots=True)
class SurveyRules:
    """Of a form that was given as SurveyJS JSON."""

    form: Form
    files: FilePlan = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", file_plan(self.form))

    def check(self, data: object, now: dt.datetime, wanted: Languages = ()) -> dict[str, Any]:
        return check_answers(self.form, data, now, wanted)

    def terms(self, data: Mapping[str, Any]) -> list[str]:
        return filter_terms(self.form, data)

    def term(self, name: str, text: str) -> str:
        return filter_term(self.form, name, text)

    def schema(self) -> dict[str, Any]:
        return json_schema(self.form)

    def language(self, wanted: Languages) -> str:
        return choose(wanted, self.form.languages, self.form.context.language)

    def quota(self, question: str, value: Any) -> Counted:
        return counted(self.form, question, value)

    def columns(self) -> ColumnMap:
        return survey_columns(self.form)


def survey_rules(definition: Mapping[str, object]) -> SurveyRules:
    """Raises Invalid with every fault, each at its place below /definition."""
    return SurveyRules(compile_definition(definition))
