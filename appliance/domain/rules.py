"""What judges the answers to one version of a form, whichever way the form was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.domain.answer import check_answers
from appliance.domain.filters import filter_term, filter_terms
from appliance.domain.form import Form, compile_definition
from appliance.domain.json_schema import json_schema


class Rules(Protocol):
    """Keep it: making it costs milliseconds, asking it microseconds."""

    def check(self, data: object) -> dict[str, Any]:
        """The data as stored. Raises Invalid with each fault below /data; TooCostly (see `schema_form`)."""

    def terms(self, data: Mapping[str, Any]) -> list[str]:
        """The index terms by which the stored response is found."""

    def term(self, name: str, text: str) -> str:
        """The term that finds responses whose answer to `name` is `text`. Raises BadRequest."""

    def schema(self) -> dict[str, Any]:
        """The JSON Schema 2020-12 of the data."""


@dataclass(frozen=True, slots=True)
class SurveyRules:
    """Of a form that was given as SurveyJS JSON."""

    form: Form

    def check(self, data: object) -> dict[str, Any]:
        return check_answers(self.form, data)

    def terms(self, data: Mapping[str, Any]) -> list[str]:
        return filter_terms(self.form, data)

    def term(self, name: str, text: str) -> str:
        return filter_term(self.form, name, text)

    def schema(self) -> dict[str, Any]:
        return json_schema(self.form)


def survey_rules(definition: Mapping[str, object]) -> SurveyRules:
    """Raises Invalid with every fault, each at its place below /definition."""
    return SurveyRules(compile_definition(definition))
