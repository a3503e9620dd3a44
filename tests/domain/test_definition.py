"""What is no form, and where it says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.domain.faults import MOST
from appliance.domain.form import compile_definition
from appliance.domain.survey_core import QUESTIONS
from appliance.errors import Invalid
from tests.domain.forms import definition_faults

Json = dict[str, Any]
Q = {"type": "text", "name": "q"}


def on(element: Any, **survey: Any) -> Json:
    """The element after a good one, so that its path is /definition/elements/1."""
    return {"elements": [{"type": "text", "name": "first"}, element], **survey}


def choice(**more: Any) -> Json:
    return on({"type": "checkbox", "name": "q", "choices": [1, 2, 3], **more})


AT = "/definition/elements/1"
FAULTS: list[tuple[Any, str, str]] = [
    ([], "/definition", "an object is needed, not an array"),
    ("{}", "/definition", "an object is needed, not a string"),
    (None, "/definition", "not null"),
    ({}, "/definition", "no questions"),
    ({"pages": []}, "/definition", "no questions"),
    ({"pages": [{"elements": []}]}, "/definition", "no questions"),
    ({"pages": {}}, "/definition/pages", "an array is needed, not an object"),
    ({"pages": [5]}, "/definition/pages/0", "an object is needed, not a number"),
    ({"pages": [{"elements": [Q]}], "elements": [{**Q, "name": "r"}]},
     "/definition/elements", "pages or elements, not both"),
    ({"elements": [Q], "titel": "x"}, "/definition/titel", "did you mean 'title'?"),
    ({"elements": [Q], "a/b~c": 1}, "/definition/a~1b~0c", "knows no property"),
    ({"elements": [Q], "showTitle": "yes"}, "/definition/showTitle", "true or false is needed, not a string"),
    ({"elements": [Q], "title": 5}, "", ""),
    (on({"type": "comment", "name": "q", "rows": 7}), "", ""),
    ({"elements": [Q], "title": {"de": 5}}, "/definition/title", "language 'de' is not a string"),
    ({"elements": [Q], "title": ["x"]}, "/definition/title", "not an array"),
    ({"elements": [Q], "checkErrorsMode": "never"}, "/definition/checkErrorsMode", "not one of onNextPage"),
    ({"elements": [Q], "triggers": [{"type": "complet"}]},
     "/definition/triggers/0/type", "did you mean 'complete'?"),
    (on({"type": "txt", "name": "q"}), AT + "/type", "did you mean 'text'?"),
    (on({"type": 5, "name": "q"}), AT + "/type", "type is required, a string"),
    (on({"type": "page", "name": "q"}), AT + "/type", "no question type"),
    (on({"type": "itemvalue", "name": "q"}), AT + "/type", "no question type"),
    (on({"name": "q"}), AT, "type is required"),
    (on("q"), AT, "an object is needed, not a string"),
    (on({"type": "text"}), AT, "name is required in text"),
    (on({"type": "text", "name": ""}), AT + "/name", "a name is needed"),
    (on({"type": "text", "name": "$where"}), AT + "/name", "must not begin with $"),
    (on({"type": "text", "name": "a\0b"}), AT + "/name", "NUL"),
    (on({"type": "text", "name": "a{b}"}), AT + "/name", "would change this name"),
    (on({"type": "text", "name": " a"}), AT + "/name", "would change this name"),
    (on({"type": "text", "name": "__proto__"}), AT + "/name", "JavaScript"),
    (on({"type": "text", "name": "x" * 201}), AT + "/name", "200 characters"),
    (on({"type": "text", "name": {"$gt": ""}}), AT + "/name", "not an object"),
    (on({"type": "text", "name": "FIRST"}), AT + "/name", "already taken by /definition/elements/0"),
    (on({"type": "text", "name": "q", "valueName": "$v"}), AT + "/valueName", "must not begin with $"),
    (on({**Q, "isRequired": "true"}), AT + "/isRequired", "true or false"),
    (on({**Q, "isRequired": 1}), AT + "/isRequired", "true or false"),
    (on({**Q, "isrequired": True}), AT + "/isrequired", "did you mean 'isRequired'?"),
    (on({**Q, "choices": [1]}), AT + "/choices", "no property 'choices' of text"),
    (on({**Q, "maxLength": "5"}), AT + "/maxLength", "a number is needed"),
    (on({**Q, "maxLength": True}), AT + "/maxLength", "a number is needed"),
    (on({**Q, "visibleIf": True}), AT + "/visibleIf", "a string is needed"),
    (on({**Q, "inputType": "integer"}), AT + "/inputType", "not one of"),
    (on({**Q, "maskType": "phone"}), AT + "/maskType", "no mask type"),
    (on({**Q, "maskType": "numeric", "maskSettings": {"precison": 1}}),
     AT + "/maskSettings/precison", "'precision'"),
    (on({**Q, "inputType": "number", "min": 5, "max": 4}), AT + "/min", "min is greater than max"),
    (on({**Q, "inputType": "number", "min": "x"}), AT + "/min", "a number is needed"),
    (on({**Q, "inputType": "number", "step": 0}), AT + "/step", "greater than 0"),
    (on({**Q, "inputType": "date", "min": "2024-02-30"}), AT + "/min", "cannot be read as date"),
    (on({**Q, "inputType": "date", "min": "2024-02-02", "max": "2024-02-01"}), AT + "/min", "greater"),
    (on({**Q, "inputType": "week", "max": "2025-W53"}), AT + "/max", "cannot be read as week"),
    (on({**Q, "validators": {}}), AT + "/validators", "an array is needed"),
    (on({**Q, "validators": [{"type": "nosuch"}]}), AT + "/validators/0/type", "no validator type"),
    (on({**Q, "validators": [{"type": "regex", "regex": "("}]}),
     AT + "/validators/0/regex", "cannot be used"),
    (on({**Q, "validators": [{"type": "regex", "regex": r"(a)\1"}]}),
     AT + "/validators/0/regex", "back-reference"),
    (on({**Q, "validators": [{"type": "text", "minLength": 5, "maxLength": 4}]}),
     AT + "/validators/0/minLength",
     "greater"),
    (on({**Q, "validators": [{"type": "numeric", "minValue": 5, "maxValue": 4}]}),
     AT + "/validators/0/minValue", "greater"),
    (choice(choices=[1, "a", "1"]), AT + "/choices/2", "already taken"),
    (choice(choices=[{"value": [1]}]), AT + "/choices/0/value", "a string, a number"),
    (choice(choices=[{"text": {}}]), AT + "/choices/0", "a value is needed"),
    (choice(choices=[""]), AT + "/choices/0", "needs a value"),
    (choice(choices=[{"value": 1, "txt": "x"}]), AT + "/choices/0/txt", "did you mean 'text'?"),
    (choice(choices="red"), AT + "/choices", "an array is needed"),
    (choice(choices=list(range(5001))), AT + "/choices", "may have 5000"),
    (choice(minSelectedChoices=3, maxSelectedChoices=2), AT + "/minSelectedChoices", "greater"),
    (choice(choicesByUrl={"url": "https://example.org"}), AT + "/choicesByUrl", "not supported"),
    (on({"type": "imagemap", "name": "q", "areas": [{"value": "a"}, {"shape": "circle"}]}),
     AT + "/areas/1", "a value is needed"),
    (on({"type": "rating", "name": "q", "rateMin": 1, "rateCount": 1e308, "rateStep": 1e307}),
     AT + "/rateCount", "no end"),
    (on({"type": "slider", "name": "q", "min": -1e308, "max": 1e308}), AT + "/min", "too far from max"),
    (on({"type": "dropdown", "name": "q", "choicesMin": -1e308, "choicesMax": 1e308}),
     AT + "/choicesMin", "too far from choicesMax"),
    (on({"type": "rating", "name": "q", "rateMin": 5, "rateMax": 4}), AT + "/rateMin", "greater"),
    (on({"type": "rating", "name": "q", "rateStep": 0}), AT + "/rateStep", "greater than 0"),
    (on({"type": "slider", "name": "q", "min": 200}), AT + "/min", "min is greater than max"),
    (on({"type": "matrix", "name": "q", "rows": ["a", "A", "a"], "columns": [1]}),
     AT + "/rows/2", "already taken"),
    (on({"type": "matrix", "name": "q", "rows": ["$a"], "columns": [1]}),
     AT + "/rows/0", "must not begin with $"),
    (on({"type": "matrix", "name": "q", "rows": list(range(200)), "columns": list(range(101))}),
     AT + "/rows", "cells"),
    (on({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a"}, {"name": "A"}]}),
     AT + "/columns/1/name", "taken"),
    (on({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a", "cellType": "txt"}]}),
     AT + "/columns/0/cellType",
     "did you mean 'text'?"),
    (on({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a", "cellType": "file"}]}),
     AT + "/columns/0/cellType",
     "no cell type"),
    (on({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a", "cellType": "text",
     "choices": [1]}]}),
     AT + "/columns/0/choices", "knows no property"),
    (on({"type": "matrixdynamic", "name": "q", "cellType": "text", "columns": [{"name": "a",
     "inputType": "number",
     "min": 3, "max": 2}]}), AT + "/columns/0/min", "greater"),
    (on({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a", "choices": [1, 1]}]}),
     AT + "/columns/0/choices/1",
     "already taken"),
    (on({"type": "matrixdynamic", "name": "q", "choices": [1, 1], "columns": [{"name": "a"}]}),
     AT + "/choices/1", "taken"),
    (on({"type": "matrixdynamic", "name": "q", "columns": [{"title": "a"}]}),
     AT + "/columns/0", "name is required"),
    (on({"type": "matrixdynamic", "name": "q", "minRowCount": 3, "maxRowCount": 2}),
     AT + "/minRowCount", "greater"),
    (on({"type": "paneldynamic", "name": "q", "minPanelCount": 3, "maxPanelCount": 2}),
     AT + "/minPanelCount", "greater"),
    (on({"type": "paneldynamic", "name": "q", "templateElements": [Q, {**Q, "name": "Q"}]}),
     AT + "/templateElements/1/name", "already taken"),
    (on({"type": "multipletext", "name": "q"}), AT, "items is required"),
    (on({"type": "multipletext", "name": "q", "items": [{"name": "a"}, {"name": "a"}]}),
     AT + "/items/1/name", "taken"),
    (on({"type": "panel", "name": "p", "elements": [{"type": "text", "name": "first"}]}),
     AT + "/elements/0/name", "taken"),
    (on({**Q, "visibleIf": "{a} ="}), AT + "/visibleIf", "cannot be read from character 5: '='"),
    (on({**Q, "visibleIf": " "}), AT + "/visibleIf", "no expression: the end"),
    (on({**Q, "requiredIf": "!null"}), AT + "/requiredIf", "null"),
    (on({**Q, "enableIf": "(" * 1000 + "1"}), AT + "/enableIf", "nested more than"),
    (on({**Q, "defaultValueExpression": "Today()"}), AT + "/defaultValueExpression", "did you mean 'today'?"),
    (on({**Q, "setValueExpression": "nosuch(1)"}), AT + "/setValueExpression", "no function 'nosuch'"),
    (on({**Q, "setValueIf": "displayValue('q')"}), AT + "/setValueIf", "displayValue is not supported"),
    (on({**Q, "visibleIf": "{" + "a." * 30 + "b} = 1"}), AT + "/visibleIf", "more than 30 steps"),
    (on({**Q, "visibleIf": "{PageNo} = 1"}), AT + "/visibleIf", "only the page knows it"),
    (on({**Q, "validators": [{"type": "expression", "expression": "{a} + {correctAnswers}"}]}),
     AT + "/validators/0/expression", "{correctAnswers} is survey-core's own"),
    (on({**Q, "resetValueIf": "{$q.isVisible}"}), AT + "/resetValueIf", "property of an element"),
    (on({**Q, "minValueExpression": "1 +"}), AT + "/minValueExpression", "cannot be read"),
    (on({**Q, "validators": [{"type": "expression", "expression": "{q"}]}),
     AT + "/validators/0/expression", "no expression"),
    (choice(choices=[1, {"value": 2, "visibleIf": "{q}}"}]), AT + "/choices/1/visibleIf", "cannot be read"),
    (choice(choicesVisibleIf="{item} = ["), AT + "/choicesVisibleIf", "cannot be read"),
    (on({"type": "matrix", "name": "q", "rows": [{"value": "a", "visibleIf": "]"}], "columns": [1]}),
     AT + "/rows/0/visibleIf", "no expression"),
    (on({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a", "totalExpression": "f(1)"}]}),
     AT + "/columns/0/totalExpression", "no function"),
    (on({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a", "choicesVisibleIf": "f(1)"}]}),
     AT + "/columns/0/choicesVisibleIf", "no function"),
    (on({"type": "matrixdynamic", "name": "q", "cellType": "text",
     "columns": [{"name": "a", "maxValueExpression": "f(1)"}]}),
     AT + "/columns/0/maxValueExpression", "no function"),
    (on({"type": "paneldynamic", "name": "q", "templateElements": [{**Q, "visibleIf": "{panel.a} and"}]}),
     AT + "/templateElements/0/visibleIf", "cannot be read"),
    (on({"type": "multipletext", "name": "q", "items": [{"name": "a", "defaultValueExpression": "1 1"}]}),
     AT + "/items/0/defaultValueExpression", "cannot be read"),
    ({"pages": [{"visibleIf": "'", "elements": [Q]}]}, "/definition/pages/0/visibleIf", "no expression"),
    ({"elements": [Q], "triggers": [{"type": "complete", "expression": "{q} ="}]},
     "/definition/triggers/0/expression", "cannot be read"),
    ({"elements": [Q], "triggers": [{"type": "runexpression", "expression": "1", "runExpression": "f()"}]},
     "/definition/triggers/0/runExpression", "no function"),
    ({"elements": [Q], "calculatedValues": [{"name": "v", "expression": "1 + f()"}]},
     "/definition/calculatedValues/0/expression", "no function"),
    ({"elements": [Q], "completedHtmlOnCondition": [{"expression": "{q} =", "html": "x"}]},
     "/definition/completedHtmlOnCondition/0/expression", "cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize("definition, path, message", FAULTS)
def test_faults(definition: Any, path: str, message: str) -> None:
    found = definition_faults(definition)
    if not path:
        assert found == []
        return
    assert [where for where, _ in found] == [path]
    assert message in found[0][1]


GOOD: list[Json] = [
    {"elements": [Q]},
    {"questions": [Q]},
    {"pages": [{"name": "p", "questions": [Q]}]},
    {"pages": [{"elements": [Q]},
     {"elements": [{"type": "html", "name": "h", "html": "<script>x</script>"}]}]},
    {"$schema": "https://example.org", "elements": [Q],
     "showProgressBar": "top", "showQuestionNumbers": False},
    {"elements": [{**Q, "type": "TEXT"}], "title": {"default": "T", "de": "T"}, "locale": "de", "logo": None},
    {"elements": [{"type": "dropdown", "name": "q", "hasOther": True, "optionsCaption": "…",
     "choices": ["a|A", 2]}]},
    {"elements": [{"type": "panel", "name": "q", "elements": [Q]}]},
    {"elements": [{"type": "paneldynamic", "name": "q", "templateElements": [Q]}]},
    {"elements": [{"type": "matrixdynamic", "name": "q", "columns": [{"name": "q", "cellType": "text",
     "min": 3}]}]},
    {"elements": [{**Q, "visibleIf": "{a} = 1", "requiredIf": "{b}", "setValueIf": "{c}"}],
     "calculatedValues": [{"name": "v", "expression": "1+1"}],
     "triggers": [{"type": "setvalue", "expression": "{q} = 1", "setToName": "q", "setValue": 2}]},
    {"elements": [{**Q, "validators": [{"type": "expression", "expression": "{q} > 1"}]}]},
]  # fmt: skip


@pytest.mark.parametrize("definition", GOOD)
def test_good_ones(definition: Json) -> None:
    before = json.dumps(definition)
    assert definition_faults(definition) == []
    assert json.dumps(definition) == before, "a definition is read, never changed"


def test_every_type_compiles() -> None:
    needed = {"multipletext": {"items": [{"name": "i"}]}}
    for kind in sorted(QUESTIONS):
        assert definition_faults(on({"type": kind, "name": "q", **needed.get(kind, {})})) == [], kind


def test_all_faults_at_once_and_never_too_many() -> None:
    many = {"elements": [{"type": "nope", "name": f"q{number}"} for number in range(500)]}
    with pytest.raises(Invalid) as refused:
        compile_definition(many)
    assert refused.value.status == 422
    assert [one.path for one in refused.value.errors] == [
        f"/definition/elements/{number}/type" for number in range(MOST)
    ]


def test_expressions_are_bounded() -> None:
    sums = [{**Q, "name": f"q{number}", "visibleIf": "1+" * 999 + "1"} for number in range(26)]
    assert definition_faults({"elements": sums[:25]}) == []
    assert "operands and operators; a form may have 50000" in definition_faults({"elements": sums})[0][1]


def nested(depth: int, key: str = "elements") -> Json:
    found: Json = {"type": "text", "name": "q"}
    for level in range(depth):
        found = {"type": "panel", "name": f"p{level}", key: [found]}
    return {"elements": [found]}


def test_nesting() -> None:
    assert definition_faults(nested(19)) == []
    [(path, message)] = definition_faults(nested(20))
    assert path == "/definition" + "/elements/0" * 20 + "/elements"
    assert "nested more than 20 deep" in message
    for depth in (60, 100_000):
        [(path, message)] = definition_faults(nested(depth))
        assert "nested more than 100 levels deep" in message
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert "levels deep" in definition_faults({"elements": [{**Q, "defaultValue": deep}]})[0][1]


def matrix(name: str, rows: int, columns: int, **more: Any) -> Json:
    return {
        "type": "matrix",
        "name": name,
        "rows": list(range(rows)),
        "columns": list(range(columns)),
        **more,
    }


def test_cells_of_all_matrices_count_together() -> None:
    several = [matrix(f"m{number}", 400, 10) for number in range(6)]
    assert definition_faults({"elements": several[:5]}) == []
    assert definition_faults({"elements": several}) == [
        ("/definition/elements/5/rows", "24000 cells, with the matrices before it; a form may have 20000")
    ]
    inner = matrix("i", 20, 9)
    outer = {"type": "matrixdropdown", "name": "o", "columns": [{"name": "a"}], "detailPanelMode": "underRow"}
    for rows, faults in ((100, []), (200, ["/definition/elements/0/detailElements/0/rows"])):
        found = definition_faults(
            {"elements": [{**outer, "rows": list(range(rows)), "detailElements": [inner]}]}
        )
        assert [path for path, _ in found] == faults
    text = "x" * 60_000
    columns = [{"name": f"c{number}"} for number in range(20)]
    copied = {"type": "matrixdynamic", "name": "q", "choices": [text], "columns": columns}
    assert "bytes of choices in matrix cells" in definition_faults({"elements": [copied]})[0][1]
    ranges = [{"type": "dropdown", "name": f"d{n}", "choicesMin": 1, "choicesMax": 1e9} for n in range(21)]
    assert definition_faults({"elements": ranges[:20]}) == []
    assert "105000 choices in matrix cells and number ranges" in definition_faults({"elements": ranges})[0][1]


def test_bounds() -> None:
    names = [{"type": "text", "name": f"q{number}"} for number in range(1001)]
    assert definition_faults({"elements": names[:1000]}) == []
    assert definition_faults({"elements": names}) == [("/definition", "1001 questions; a form may have 1000")]
    assert definition_faults(on({**Q, "title": "x" * 65536})) == []
    assert definition_faults(on({**Q, "title": "x" * 65537})) == [(AT + "/title", "longer than 65536 bytes")]
    assert definition_faults(on({**Q, "title": "é" * 32769}))[0][0] == AT + "/title"
    big = {"elements": [{"type": "html", "name": f"h{number}", "html": "x" * 60_000} for number in range(9)]}
    assert definition_faults(big)[0][1].endswith("a definition may have 524288")
    columns = [{"name": f"c{number}"} for number in range(101)]
    wide = {"type": "matrixdynamic", "name": "q", "choices": list(range(1000)), "columns": columns}
    assert "choices in matrix cells and number ranges; a form may" in definition_faults(on(wide))[0][1]
    assert definition_faults(on({**Q, "maxLength": 2**63})) == [
        (AT + "/maxLength", "a whole number beyond 64 bits")
    ]
    assert definition_faults(on({**Q, "maxLength": float("nan")}))[0][1] == "not a finite number"
    assert "surrogate" in definition_faults(on({**Q, "title": "\ud800"}))[0][1]
