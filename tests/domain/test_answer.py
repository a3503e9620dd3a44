"""Where survey-core trusts the client and a server must not, what is stored, and hostile input."""

from __future__ import annotations

import time
from typing import Any, Final

import pytest

from appliance.domain.form import compile_definition
from appliance.errors import Invalid
from tests.domain.forms import answer_faults, check_answers, form

Json = dict[str, Any]
NOT_A_CHOICE = "is not one of the available choices."


def _text(**more: Any) -> Json:
    return {"type": "text", "name": "q", **more}


MATRIX = {"type": "matrix", "name": "q", "rows": ["r1", "r2"], "columns": ["c1", "c2"]}
TABLE = {"type": "matrixdropdown", "name": "q", "rows": ["r1"], "columns": [{"name": "a", "choices": [1, 2]},
         {"name": "n", "cellType": "text", "inputType": "number"}]}  # fmt: skip
ROWS = {**TABLE, "type": "matrixdynamic", "maxRowCount": 2}
ROWS.pop("rows")
PANELS = {"type": "paneldynamic", "name": "q", "templateElements": [{**_text(inputType="number"),
"name": "n"}],
          "maxPanelCount": 2}  # fmt: skip
FILE = {"name": "a.txt", "type": "text/plain", "content": "data:text/plain;base64,YWJj"}

STRICTER: list[tuple[Json, Any, str, str]] = [
    (_text(), 5, "/data/q", "a string is needed, not a number"),
    (_text(), True, "/data/q", "a string is needed, not true or false"),
    (_text(), ["x"], "/data/q", "a string is needed, not an array"),
    (_text(), {"$gt": "x"}, "/data/q", "not an object"),
    (_text(maxLength=3), "abcd", "/data/q", "Please enter no more than 3 character(s)."),
    (_text(maxLength=3), "😀😀", "/data/q", "Please enter no more than 3 character(s)."),
    (_text(inputType="number"), "x", "/data/q", "The value should be numeric."),
    (_text(inputType="number"), True, "/data/q", "The value should be numeric."),
    (_text(inputType="number"), [1], "/data/q", "The value should be numeric."),
    (_text(inputType="number"), "nan", "/data/q", "The value should be numeric."),
    (_text(inputType="date"), 20240101, "/data/q", "a string is needed"),
    (_text(inputType="date"), "2024-02-30", "/data/q", "Invalid input"),
    ({"type": "comment", "name": "q", "maxLength": 2}, "abc", "/data/q", "no more than 2"),
    ({"type": "dropdown", "name": "q", "choices": [1, 2]}, 3, "/data/q", NOT_A_CHOICE),
    ({"type": "dropdown", "name": "q", "choices": [1, 2]}, "other", "/data/q", NOT_A_CHOICE),
    ({"type": "dropdown", "name": "q", "choices": [1, 2]}, True, "/data/q", NOT_A_CHOICE),
    ({"type": "dropdown", "name": "q", "choices": ["a"]}, "A", "/data/q", NOT_A_CHOICE),
    ({"type": "dropdown", "name": "q", "choices": [1, 2]}, [1], "/data/q", "a single value is needed"),
    ({"type": "dropdown", "name": "q", "choices": [1, 2]}, {"value": 1},
     "/data/q", "a single value is needed"),
    ({"type": "radiogroup", "name": "q", "choices": [1, {"value": 2, "showCommentArea": True}]},
     {"value": 2, "comment": 5}, "/data/q/comment", "a string is needed"),
    ({"type": "radiogroup", "name": "q", "choices": [1, {"value": 2, "showCommentArea": True}]},
     {"value": 3}, "/data/q/value", NOT_A_CHOICE),
    ({"type": "radiogroup", "name": "q", "choicesFromQuestion": "p"}, [1],
     "/data/q", "a single value is needed"),
    ({"type": "checkbox", "name": "q", "choices": [1, 2]}, 1, "/data/q", "an array is needed"),
    ({"type": "checkbox", "name": "q", "choices": [1, 2]}, [1, 9], "/data/q/1", NOT_A_CHOICE),
    ({"type": "checkbox", "name": "q", "choices": [1, 2]}, [1, "1"], "/data/q/1", "should be unique"),
    ({"type": "checkbox", "name": "q", "choices": [1, 2], "maxSelectedChoices": 1}, [1, 2], "/data/q",
     "Please select no more than 1 option(s)."),
    ({"type": "checkbox", "name": "q", "choices": [1], "valuePropertyName": "v"}, [1],
     "/data/q/0", "the one name 'v'"),
    ({"type": "tagbox", "name": "q", "choices": [1]}, "1", "/data/q", "an array is needed"),
    ({"type": "ranking", "name": "q", "choices": ["a", "b"]}, ["a", "a"], "/data/q/1", "should be unique"),
    ({"type": "imagepicker", "name": "q", "choices": ["a"]}, ["a"], "/data/q", "a single value"),
    ({"type": "imagemap", "name": "q", "areas": [{"value": "a"}]}, ["b"], "/data/q/0", NOT_A_CHOICE),
    ({"type": "buttongroup", "name": "q", "choices": ["a"]}, "b", "/data/q", NOT_A_CHOICE),
    ({"type": "boolean", "name": "q"}, "true", "/data/q", NOT_A_CHOICE),
    ({"type": "boolean", "name": "q"}, 1, "/data/q", NOT_A_CHOICE),
    ({"type": "boolean", "name": "q", "valueTrue": "y", "valueFalse": "n"}, True, "/data/q", NOT_A_CHOICE),
    ({"type": "rating", "name": "q"}, 6, "/data/q", NOT_A_CHOICE),
    ({"type": "rating", "name": "q"}, 2.5, "/data/q", NOT_A_CHOICE),
    ({"type": "slider", "name": "q"}, 101, "/data/q", "should not be greater than 100"),
    ({"type": "slider", "name": "q"}, -1, "/data/q", "should not be less than 0"),
    ({"type": "slider", "name": "q", "sliderType": "range"}, 5, "/data/q", "an array"),
    ({"type": "slider", "name": "q", "sliderType": "range"}, [5, "6"], "/data/q/1", "numeric"),
    (MATRIX, "c1", "/data/q", "an object of rows is needed"),
    (MATRIX, {"r3": "c1"}, "/data/q/r3", "no such row"),
    (MATRIX, {"r1": "c3"}, "/data/q/r1", NOT_A_CHOICE),
    (MATRIX, {"r1": ["c1"]}, "/data/q/r1", "a single value"),
    ({**MATRIX, "cellType": "checkbox"}, {"r1": "c1"}, "/data/q/r1", "an array"),
    (TABLE, [1], "/data/q", "an object of rows"),
    (TABLE, {"r1": 5}, "/data/q/r1", "an object is needed"),
    (TABLE, {"r1": {"a": 3}}, "/data/q/r1/a", NOT_A_CHOICE),
    (TABLE, {"r1": {"b": 3}}, "/data/q/r1/b", "no question has this name"),
    (TABLE, {"r1": {"n": "x"}}, "/data/q/r1/n", "numeric"),
    (TABLE, {"r2": {"a": 1}}, "/data/q/r2", "no such row"),
    (ROWS, {"0": {"a": 1}}, "/data/q", "an array of rows"),
    (ROWS, [{"a": 1}] * 3, "/data/q", "more than 2 rows"),
    (ROWS, [{"a": 1}, "x"], "/data/q/1", "an object is needed"),
    (ROWS, [{"a": 9}], "/data/q/0/a", NOT_A_CHOICE),
    (PANELS, {"n": 1}, "/data/q", "an array of panels"),
    (PANELS, [{"n": 1}] * 3, "/data/q", "more than 2 panels"),
    (PANELS, [{"n": "x"}], "/data/q/0/n", "numeric"),
    (PANELS, [{"m": 1}], "/data/q/0/m", "no question"),
    ({"type": "multipletext", "name": "q", "items": [{"name": "a"}]}, "x", "/data/q", "an object"),
    ({"type": "multipletext", "name": "q", "items": [{"name": "a"}]}, {"b": "x"}, "/data/q/b", "no question"),
    ({"type": "multipletext", "name": "q", "items": [{"name": "a"}]}, {"a": 5}, "/data/q/a", "a string"),
    ({"type": "file", "name": "q"}, "data:,x", "/data/q", "an array"),
    ({"type": "file", "name": "q"}, [FILE, FILE],
     "/data/q", "The maximum number of files you can upload is 1."),
    ({"type": "file", "name": "q"}, [{"name": "x"}], "/data/q/0", "its name and content"),
    ({"type": "file", "name": "q"}, [{**FILE, "path": "/etc/passwd"}], "/data/q/0", "{name, type, content}"),
    ({"type": "file", "name": "q"}, [{**FILE, "content": {}}], "/data/q/0/content", "a string"),
    ({"type": "file", "name": "q", "maxSize": 2}, [FILE],
     "/data/q/0", "The file size should not exceed 2 Bytes."),
    ({"type": "signaturepad", "name": "q"}, 5, "/data/q", "a string"),
    ({"type": "signaturepad", "name": "q"}, "https://example.org/x.png", "/data/q", "a data: URL"),
    *(
        ({"type": "signaturepad", "name": "q"}, content, "/data/q", "of an image")
        for content in ("data:text/html,<b>x</b>", "data:,x", "data:IMAGE/SVG+xml;base64,PHN2Zz4=")
    ),
    *(
        (_text(inputType="url"), link, "/data/q", "would run a script")
        for link in ("javascript:x()", " JavaScript:x()", "java\nscript:x()", "vbscript:x", "data:,x")
    ),
    ({"type": "multipletext", "name": "q", "items": [{"name": "a", "inputType": "url"}]},
     {"a": "javascript:x()"},
     "/data/q/a", "would run a script"),
    ({"type": "html", "name": "q"}, "x", "/data/q", "holds no answer"),
    ({"type": "image", "name": "q"}, "x", "/data/q", "holds no answer"),
]  # fmt: skip


@pytest.mark.parametrize("element, answer, path, message", STRICTER)
def test_stricter_than_survey_core(element: Json, answer: Any, path: str, message: str) -> None:
    found = answer_faults(form({"type": "text", "name": "first"}, element), {"q": answer})
    assert [where for where, _ in found] == [path]
    assert message in found[0][1]


DRAWING: Final = "data:image/svg+xml;base64,PHN2Zz4="
STORED: list[tuple[Json, Json, Json]] = [
    (_text(inputType="url"), {"q": "x.org"}, {"q": "x.org"}),
    (_text(inputType="url"), {"q": "mailto:a@b.cc"}, {"q": "mailto:a@b.cc"}),
    ({"type": "signaturepad", "name": "q", "dataFormat": "svg"}, {"q": DRAWING}, {"q": DRAWING}),
    (_text(), {"q": ""}, {}),
    (_text(), {"q": None}, {}),
    (_text(), {"q": " x "}, {"q": " x "}),
    (_text(inputType="number"), {"q": "5"}, {"q": 5}),
    (_text(inputType="number"), {"q": "5,5"}, {"q": 5.5}),
    (_text(inputType="range"), {"q": "7"}, {"q": 7}),
    (_text(inputType="tel"), {"q": "5"}, {"q": "5"}),
    (_text(maskType="numeric"), {"q": 5.25}, {"q": 5.25}),
    ({"type": "radiogroup", "name": "q", "choices": [1, 2]}, {"q": "2"}, {"q": 2}),
    ({"type": "radiogroup", "name": "q", "choices": ["1", "2"]}, {"q": 2}, {"q": "2"}),
    ({"type": "radiogroup", "name": "q", "choices": ["a|Letter A"]}, {"q": "a"}, {"q": "a"}),
    ({"type": "radiogroup", "name": "q", "choices": [{"text": "only"}]}, {"q": "only"}, {"q": "only"}),
    ({"type": "checkbox", "name": "q", "choices": [1, 2]}, {"q": []}, {}),
    ({"type": "checkbox", "name": "q", "choices": [1, 2], "showOtherItem": True}, {"q": ["2", "other"],
     "q-Comment": "x"},
     {"q": [2, "other"], "q-Comment": "x"}),
    ({"type": "dropdown", "name": "q", "choices": [1], "allowCustomChoices": True}, {"q": "own"},
     {"q": "own"}),
    ({"type": "matrix", "name": "q", "rows": ["r"], "columns": [1]}, {"q": {"r": "1"}}, {"q": {"r": 1}}),
    ({"type": "matrix", "name": "q", "rows": ["r"], "columns": [1]}, {"q": {"r": None}}, {}),
    (TABLE, {"q": {"r1": {"a": "1", "n": "2"}}}, {"q": {"r1": {"a": 1, "n": 2}}}),
    ({**TABLE, "columns": [{"name": "a", "cellType": "text", "totalType": "sum"}]},
     {"q": {"r1": {"a": "1"}}, "q-total": {"a": 9}}, {"q": {"r1": {"a": "1"}}, "q-total": {"a": 1}}),
    (ROWS, {"q": [None, {"a": "2"}]}, {"q": [{}, {"a": 2}]}),
    (ROWS, {"q": []}, {"q": []}),
    (PANELS, {"q": [{"n": "2"}]}, {"q": [{"n": 2}]}),
    ({"type": "expression", "name": "q", "expression": "1"}, {"q": 99}, {"q": 1}),
    ({"type": "file", "name": "q"}, {"q": [FILE]}, {"q": [FILE]}),
]  # fmt: skip


@pytest.mark.parametrize("element, data, stored", STORED)
def test_what_is_stored(element: Json, data: Json, stored: Json) -> None:
    made = form({"type": "text", "name": "first"}, element)
    assert check_answers(made, data) == stored
    assert check_answers(made, stored) == stored, "what was stored is good to be stored again"


def test_calculated_values_are_computed_and_targets_of_triggers_dropped() -> None:
    made = form(
        _text(),
        calculatedValues=[
            {"name": "sum", "expression": "1", "includeIntoResult": True},
            {"name": "tmp", "expression": "1"},
        ],
        triggers=[{"type": "setvalue", "expression": "{q} = 1", "setToName": "mark", "setValue": 1}],
    )
    assert check_answers(made, {"q": "x", "sum": 99, "mark": 98}) == {"q": "x", "sum": 1}
    assert answer_faults(made, {"tmp": 1}) == [("/data/tmp", "no question has this name")]


@pytest.mark.parametrize("around", [False, True])
def test_what_does_not_show_is_checked_for_its_type_and_cleared(around: bool) -> None:
    rules = {"isRequired": True, "min": 3, "validators": [{"type": "numeric", "minValue": 9}]}
    condition = {"visibleIf": "{a} = 1"}
    inner = _text(inputType="number", **rules, **({} if around else condition))
    outer = {"type": "panel", "name": "p", "elements": [inner], **(condition if around else {})}
    made = form({"type": "text", "name": "a"}, outer)
    assert check_answers(made, {"q": 1}) == {}
    assert answer_faults(made, {"q": "x"}) == [("/data/q", "The value should be numeric.")]
    assert answer_faults(made, {"a": "1"}) == [("/data/q", "Response required.")]
    assert [path for path, _ in answer_faults(made, {"a": "1", "q": 1})] == ["/data/q"]
    assert check_answers(made, {"a": "1", "q": 9}) == {"a": "1", "q": 9}


def test_what_nobody_can_change_is_checked_for_its_type_only() -> None:
    made = form({"type": "text", "name": "a"}, _text(isRequired=True, enableIf="{a} = 1"))
    assert check_answers(made, {"a": "2"}) == {"a": "2"}
    assert answer_faults(made, {"a": "1"}) == [("/data/q", "Response required.")]


def test_a_trigger_shows_and_hides_as_its_expression_says() -> None:
    trigger = {"type": "visible", "expression": "{a} = 1", "questions": ["q"], "pages": ["p"]}
    made = compile_definition({
        "pages": [{"elements": [{"type": "text", "name": "a"}, _text(isRequired=True, visible=False)]},
                  {"name": "p", "visible": False, "elements": [{"type": "text", "name": "b"}]}],
        "triggers": [trigger],
    })  # fmt: skip
    assert check_answers(made, {"q": "x", "b": "y"}) == {}
    assert check_answers(made, {"a": "1", "q": "x", "b": "y"}) == {"a": "1", "q": "x", "b": "y"}
    assert answer_faults(made, {"a": "1"}) == [("/data/q", "Response required.")]


def test_expressions_stay_with_their_question() -> None:
    made = form(_text(visibleIf="{a} = 1", setValueExpression="{b}", title="{c}"))
    assert dict(made.elements.questions[0].expressions) == {
        "visibleIf": "{a} = 1",
        "setValueExpression": "{b}",
    }


def test_required_under_a_condition() -> None:
    for more in ({}, {"isRequired": True}):
        made = form({"type": "text", "name": "a"}, _text(requiredIf="{a} = 1", **more))
        assert answer_faults(made, {}) == []
        assert answer_faults(made, {"a": "1"}) == [("/data/q", "Response required.")]


def test_comments() -> None:
    made = form({"type": "radiogroup", "name": "a", "choices": [1], "showOtherItem": True},
                {"type": "radiogroup", "name": "b", "choices": [1]},
                {"type": "rating", "name": "c", "hasComment": True}, maxCommentLength=3)  # fmt: skip
    assert check_answers(made, {"a": 1, "a-Comment": "why", "c-Comment": "x"}) == {"a": 1, "c-Comment": "x"}
    stored = {"a": "other", "a-Comment": "why"}
    assert check_answers(made, stored) == stored
    assert answer_faults(made, {"b-Comment": "why"}) == [("/data/b-Comment", "no question has this name")]
    assert answer_faults(made, {"a-Comment": "long"})[0][0] == "/data/a-Comment"
    assert answer_faults(made, {"a-Comment": 5}) == [("/data/a-Comment", "a string is needed, not a number")]


def test_paths_are_json_pointers() -> None:
    made = form(_text(name="a/b~c", inputType="number"))
    assert answer_faults(made, {"a/b~c": "x", "d/e": 1}) == [
        ("/data/a~1b~0c", "The value should be numeric."),
         ("/data/d~1e", "no question has this name")]  # fmt: skip


PLAIN = form(_text(), {"type": "matrixdynamic", "name": "m", "columns": [{"name": "a", "cellType": "text"}]})


@pytest.mark.parametrize("data", [None, 5, "x", [], [{}], True])
def test_data_is_an_object(data: Any) -> None:
    assert [path for path, _ in answer_faults(PLAIN, data)] == ["/data"]


@pytest.mark.parametrize(
    "value, message",
    [(2**63, "beyond 64 bits"), (-(2**63) - 1, "beyond 64 bits"), (10**4000, "beyond 64 bits"),
     (float("nan"), "not a finite number"), (float("inf"), "not a finite number"), ("a\ud800", "surrogate"),
     (b"x", "no JSON type"), ({"a\0b": 1}, "NUL"), ({"\ud800": 1}, "surrogate"), ({5: 1}, "not a string")],
)  # fmt: skip
def test_what_cannot_be_stored(value: Any, message: str) -> None:
    for data in ({"q": value}, {"m": [{"a": value}]}, {"nosuch": [[value]]}):
        with pytest.raises(Invalid) as refused:
            check_answers(PLAIN, data)
        assert message in refused.value.errors[0].message
        refused.value.errors[0].path.encode()
        refused.value.errors[0].message.encode()


@pytest.mark.parametrize("depth", [33, 1_000, 200_000])
def test_nesting(depth: int) -> None:
    for make in (lambda inner: [inner], lambda inner: {"a": inner}):
        deep: Any = "x"
        for _ in range(depth):
            deep = make(deep)
        [(_, message)] = answer_faults(PLAIN, {"q": deep})
        assert "nested more than 32 levels deep" in message


def test_faults_are_capped() -> None:
    assert len(answer_faults(PLAIN, {f"x{number}": 1 for number in range(10_000)})) == 50


COSTLY = [
    ({"type": "matrixdynamic", "name": "q", "columns": [{"name": f"c{n}",
     "cellType": "text"} for n in range(900)]},
     {"q": [{}] * 1000}),
    ({"type": "matrixdynamic", "name": "q", "rowCount": 1000,
      "columns": [{"name": f"c{n}", "cellType": "text", "isRequired": True} for n in range(900)]}, {}),
    ({"type": "paneldynamic", "name": "q", "templateElements": [{"type": "paneldynamic", "name": "p",
      "templateElements": [_text(name=f"t{n}") for n in range(900)]}]}, {"q": [{"p": [{}] * 100}] * 100}),
    ({"type": "checkbox", "name": "q", "choices": list(range(5000))}, {"q": list(range(5000))}),
    ({"type": "matrixdynamic", "name": "q", "columns": [{"name": "a", "cellType": "text", "isUnique": True}]},
     {"q": [{"a": str(n)} for n in range(1000)]}),
    (_text(inputType="email"), {"q": "a." * 200_000}),
    (_text(inputType="number"), {"q": "9" * 400_000}),
    (_text(inputType="date"), {"q": "2" * 400_000}),
]  # fmt: skip


@pytest.mark.parametrize("element, data", COSTLY)
def test_the_work_follows_the_size_of_what_was_sent(element: Json, data: Json) -> None:
    made = form(element)
    begun = time.process_time()
    answer_faults(made, data)
    assert time.process_time() - begun < 0.5


def test_a_usual_response_takes_microseconds() -> None:
    """25 questions, 1 KB: measured 30 to 45 µs; the bound leaves room for a busy machine."""
    kinds: list[tuple[Json, Any]] = [
        (_text(isRequired=True), "some words of text, about as many as one writes"),
        (_text(inputType="number", min=0, max=120), 42),
        (_text(inputType="date"), "2024-05-06"),
        ({"type": "checkbox", "choices": ["a", "b", "c", "d"], "maxSelectedChoices": 3}, ["a", "c"]),
        ({"type": "radiogroup", "choices": ["yes", "no"], "isRequired": True}, "yes"),
    ]
    made = compile_definition({"elements": [{**element, "name": f"q{n}{m}"} for n in range(5)
                                            for m, (element, _) in enumerate(kinds)]})  # fmt: skip
    data = {f"q{n}{m}": answer for n in range(5) for m, (_, answer) in enumerate(kinds)}
    best = min(_took(made, data) for _ in range(20))
    assert best < 400e-6, f"{best * 1e6:.0f} µs"


def _took(made: Any, data: Json) -> float:
    begun = time.perf_counter()
    for _ in range(50):
        check_answers(made, data)
    return (time.perf_counter() - begun) / 50
