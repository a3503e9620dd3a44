"""In which language a form speaks, and that it then says what survey-core says."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import pytest

from appliance.domain.form import compile_definition
from appliance.domain.language import choose
from appliance.domain.survey_core import LANGUAGES
from tests.domain.forms import answer_faults, check_answers
from tests.domain.oracle import Oracle

Json = dict[str, Any]
TEXTS: dict[str, Json] = json.loads(
    resources.files("appliance.domain").joinpath("survey_core_texts.json").read_text()
)["texts"]
DIALECTS = ["de-AT", "pt-PT", "zh-cn", "zh-hk", "xx", "xx-YY", "nl-BE", "-de", "en-GB", "pt-br"]


def _validated(name: str, answer: Any, **validator: Any) -> tuple[Json, Any]:
    return {"type": "text", "name": name, "validators": [validator]}, answer


# By the text that each element makes survey-core say.
SPOKEN: dict[str, tuple[Json, Any]] = {
    "requiredError": ({"type": "text", "name": "q1", "isRequired": True}, None),
    "requiredErrorInPanel": (
        {"type": "panel", "name": "p", "isRequired": True, "elements": [{"type": "text", "name": "q2"}]},
        None,
    ),
    "requiredInAllRowsError": (
        {"type": "matrix", "name": "q3", "rows": ["a", "b"], "columns": [1, 2], "eachRowRequired": True},
        {"a": 1},
    ),
    "eachRowUniqueError": (
        {"type": "matrix", "name": "q4", "rows": ["a", "b"], "columns": [1, 2], "eachRowUnique": True},
        {"a": 1, "b": 1},
    ),
    "minError": ({"type": "text", "name": "q5", "inputType": "number", "min": 5}, 4),
    "maxError": ({"type": "text", "name": "q6", "inputType": "date", "max": "2024-02-29"}, "2025-01-01"),
    "stepError": ({"type": "text", "name": "q7", "inputType": "number", "step": 0.5}, 4.2),
    "numericError": _validated("q8", "x", type="numeric"),
    "numericMinMax": _validated("q9", "1", type="numeric", minValue=2, maxValue=3),
    "numericMin": _validated("q10", "1", type="numeric", minValue=2.5),
    "numericMax": _validated("q11", "4", type="numeric", maxValue=3),
    "textNoDigitsAllow": _validated("q12", "a1", type="text", allowDigits=False),
    "textMinLength": _validated("q13", "a", type="text", minLength=2),
    "textMaxLength": _validated("q14", "abc", type="text", maxLength=2),
    "textMinMaxLength": _validated("q15", "abc", type="text", minLength=1, maxLength=2),
    "minRowCountError": (
        {
            "type": "matrixdynamic",
            "name": "q16",
            "columns": [{"name": "a", "cellType": "text"}],
            "isRequired": True,
            "minRowCount": 2,
        },
        [{"a": "x"}],
    ),
    "minSelectError": (
        {"type": "checkbox", "name": "q17", "choices": [1, 2, 3], "minSelectedChoices": 2},
        [1],
    ),
    "maxSelectError": (
        {
            "type": "checkbox",
            "name": "q18",
            "choices": [1, 2],
            "validators": [{"type": "answercount", "maxCount": 1}],
        },
        [1, 2],
    ),
    "invalidEmail": ({"type": "text", "name": "q19", "inputType": "email"}, "nobody"),
    "keyDuplicationError": (
        {
            "type": "paneldynamic",
            "name": "q20",
            "keyName": "k",
            "templateElements": [{"type": "text", "name": "k"}],
        },
        [{"k": "x"}, {"k": "x"}],
    ),
    "otherRequiredError": (
        {"type": "dropdown", "name": "q21", "choices": [1], "showOtherItem": True},
        "other",
    ),
    "invalidExpression": _validated("q22", "x", type="expression", expression="{q22} = 'y'"),
}
ALL: Json = {"elements": [element for element, _ in SPOKEN.values()]}
ANSWERS: Json = {element["name"]: answer for element, answer in SPOKEN.values() if answer is not None}

# Where survey-core trusts the page and only the server speaks: the text, its values, the element, the answer.
FILE = {"name": "a", "type": "b", "content": "data:x/y;base64," + "A" * 8000}
STRICTER: list[tuple[str, list[object], Json, Any]] = [
    ("textMaxLength", [2], {"type": "comment", "maxLength": 2}, "abc"),
    ("numericError", [], {"type": "text", "inputType": "number"}, "x"),
    ("invalidInputError", [], {"type": "text", "inputType": "date"}, "2024-02-30"),
    ("variableValueNotInChoices", ["z"], {"type": "dropdown", "choices": ["a"]}, "z"),
    ("variableValueNotInChoices", ["2"], {"type": "rating", "rateMax": 1}, 2),
    ("keyDuplicationError", [], {"type": "tagbox", "choices": ["a"]}, ["a", "a"]),
    ("maxSelectError", [1], {"type": "tagbox", "choices": [1, 2], "maxSelectedChoices": 1}, [1, 2]),
    ("minError", [0], {"type": "slider"}, -1),
    ("maxError", [100], {"type": "slider"}, 101),
    ("exceedMaxFiles", [1], {"type": "file"}, [FILE, FILE]),
    ("exceedMaxSize", ["4 {KB}"], {"type": "file", "maxSize": 4096}, [FILE]),
]


@pytest.mark.parametrize("language", [*LANGUAGES, *DIALECTS])
def test_every_error_in_every_language(survey_core: Oracle, language: str) -> None:
    verdict = survey_core.judge(ALL, ANSWERS, locale=language)
    made = compile_definition({**ALL, "locale": language})
    assert sorted(message for _, message in answer_faults(made, ANSWERS)) == verdict.errors
    assert len(verdict.errors) >= len(SPOKEN)


@pytest.mark.parametrize("language", [*LANGUAGES, *DIALECTS])
def test_what_only_the_server_says(survey_core: Oracle, language: str) -> None:
    units = re.split("[,、] ?", survey_core.text("fileSizeUnits", language))
    assert len(units) == 5
    for name, values, element, answer in STRICTER:
        made = compile_definition({"elements": [{**element, "name": "q"}], "locale": language})
        values = [str(one).replace("{KB}", units[1]) for one in values]
        ((_, message),) = answer_faults(made, {"q": answer})
        told = survey_core.text(name, language, *values)
        assert message == told or (name == "invalidInputError" and message.startswith(told + ": "))


def test_every_text_is_said() -> None:
    said = {*SPOKEN, *(row[0] for row in STRICTER)}
    assert said | {"value", "fileSizeUnits"} == set(TEXTS["en"])
    assert len(LANGUAGES) > 50


TEXT = {"default": "plain", "de": "deutsch", "pt": "pt", "pt-br": "br", "xx": "xx", "en": "english", "fr": ""}
OWN: Json = {
    "elements": [
        {"type": "text", "name": "a", "isRequired": True, "requiredErrorText": TEXT},
        {"type": "text", "name": "b", "validators": [{"type": "regex", "regex": "^x$", "text": TEXT}]},
        {
            "type": "text",
            "name": "c",
            "inputType": "number",
            "min": 5,
            "minErrorText": {"default": "Low {0} {0}", "de": "Tief {0}"},
        },
        {
            "type": "radiogroup",
            "name": "d",
            "choices": [1],
            "showOtherItem": True,
            "otherErrorText": {"de": "Was?", "en": "What?"},
        },
        {
            "type": "matrixdynamic",
            "name": "e",
            "keyName": "k",
            "columns": [{"name": "k", "cellType": "text"}],
            "keyDuplicationError": {"de": "Zweimal", "pt": "Dois"},
        },
        {
            "type": "panel",
            "name": "p",
            "isRequired": True,
            "requiredErrorText": TEXT,
            "elements": [{"type": "text", "name": "f"}],
        },
        {
            "type": "multipletext",
            "name": "g",
            "items": [{"name": "h", "isRequired": True, "requiredErrorText": {"de": "H fehlt"}}],
        },
    ],
}
OWN_ANSWERS: Json = {"b": "y", "c": 1, "d": "other", "e": [{"k": "1"}, {"k": "1"}]}


@pytest.mark.parametrize("own", [None, "de", "xx", "en"])
@pytest.mark.parametrize(
    "language", [None, "", "en", "de", "de-AT", "pt", "pt-br", "pt-PT", "fr", "xx-YY", "en-GB", "ja"]
)
def test_texts_of_the_form(survey_core: Oracle, language: str | None, own: str | None) -> None:
    """Its own words, in all orders in which survey-core falls back."""
    form = OWN if own is None else {**OWN, "locale": own}
    verdict = survey_core.judge(form, OWN_ANSWERS, locale=language)
    made = compile_definition(form if language is None else {**form, "locale": language})
    assert sorted(message for _, message in answer_faults(made, OWN_ANSWERS)) == verdict.errors


@pytest.mark.parametrize("language", ["", "en", "de", "pt-br", "xx"])
def test_conditions_know_the_language(survey_core: Oracle, language: str) -> None:
    """`{locale}`, which comes before a question of that name."""
    form: Json = {
        "calculatedValues": [{"name": "said", "expression": "{locale}", "includeIntoResult": True}],
        "elements": [
            {"type": "text", "name": "locale"},
            {"type": "text", "name": "a", "isRequired": True, "visibleIf": "{locale} = 'de'"},
            {"type": "text", "name": "b", "isRequired": True, "visibleIf": "{Locale} anyof ['pt-br', 'xx']"},
        ],
    }
    data = {"locale": "fr", **({"a": "x"} if language == "de" else {})}
    verdict = survey_core.judge(form, data, locale=language)
    made = compile_definition({**form, "locale": language})
    faults = answer_faults(made, data)
    assert sorted(message for _, message in faults) == verdict.errors
    if not faults:
        assert check_answers(made, data) == verdict.data


SPOKEN_BY_FORM = compile_definition(
    {
        "elements": [
            {"type": "text", "name": "q", "title": {"default": "Q", "gsw": "F", "pt-BR": "P", "pos": "x"}}
        ]
    }
).languages


@pytest.mark.parametrize(
    "wanted, chosen",
    [
        (["de"], "de"),
        (["DE"], "de"),
        (["de-AT"], "de"),
        (["de_CH"], "de"),
        (["gsw-ZH", "de"], "gsw"),
        (["pt-br"], "pt-BR"),
        (["pt-PT"], "pt"),
        (["zh-Hans-CN"], "zh-cn"),
        (["zh"], "zh-cn"),
        (["zh-TW"], "zh-tw"),
        (["nb-NO"], "no"),
        (["nl-BE"], "nl-BE"),
        (["cz"], "cs"),
        (["en"], ""),
        (["en-US", "de"], ""),
        ([None, "fr"], "fr"),
        (["", "fr"], "fr"),
        (["tlh", "fr"], "fr"),
        (["tlh", None], "own"),
        (["default", "pos"], "own"),
        (["-", "*", "\0", "😀", "x" * 35], "own"),
        ([], "own"),
    ],
)
def test_the_first_language_that_the_form_can_speak(wanted: list[str | None], chosen: str) -> None:
    assert choose(wanted, SPOKEN_BY_FORM, "own") == chosen
