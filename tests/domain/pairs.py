"""Forms and answers that survey-core and we must judge alike: (what it is about, elements, data)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def _text(**more: Any) -> Json:
    return {"type": "text", "name": "q", **more}


def _validated(validator: Json, **more: Any) -> Json:
    return _text(validators=[validator], **more)


NUMBER = {"inputType": "number"}
CHOICES = ["red", "green", 3, {"value": "x", "text": "X"}]

TEXT: list[tuple[Json, list[Any]]] = [
    (_text(), [None, "", "word", "  "]),
    (_text(isRequired=True), [None, "", "  ", "\u00a0", "word", "0"]),
    (_text(isRequired=True, requiredErrorText="Say it"), [None, "said"]),
    (_text(isRequired=True, requiredErrorText={"default": "Say it", "de": "Sag es"}), [None]),
    (_text(isRequired=True, readOnly=True), [None]),
    (_text(isRequired=True, visible=False), [None]),
    (_text(inputType="email"), [None, "a@b.cc", "a@b", "nobody", "a b@c.de", '"q q"@x.yz', "ä@ö.de"]),
    (_text(inputType="email", validators=[{"type": "email", "text": "No mail"}]), ["nobody", "a@b.cc"]),
    (_text(**NUMBER, min=3), [2, 3, 2.999, 0, -1]),
    (_text(**NUMBER, max=10), [10, 11, 10.01]),
    (_text(**NUMBER, min=3, max=5, minErrorText="Low {0}", maxErrorText="High {0}"), [2, 4, 6]),
    (_text(**NUMBER, min="3"), [2, 3]),
    (_text(**NUMBER, min=0.5, max=1e21), [0.25, 1, 2e21]),
    (_text(**NUMBER, step=5), [5, 6, 0, -5, 2.5]),
    (_text(**NUMBER, step=0.1), [0.3, 0.35, 1.1, 7]),
    (_text(**NUMBER, step=0.01, stepErrorText="Cents: {0}"), [19.99, 19.999]),
    (_text(inputType="range", min=0, max=100), [-1, 0, 100, 101]),
    (_text(isRequired=True, **NUMBER), [None, 0]),
    (_text(inputType="date", min="2025-01-01"), ["2024-12-31", "2025-01-01", "2025-06-30"]),
    (_text(inputType="date", max="2024-02-29"), ["2024-03-01", "2024-02-29"]),
    (_text(inputType="date", min="2025-01-01", minErrorText="After {0}"), ["2000-01-01"]),
    (_text(inputType="datetime-local", min="2025-01-01T10:30"), ["2025-01-01T10:29", "2025-01-01T10:30"]),
    (_text(inputType="datetime-local", max="2025-01-01T10:30"), ["2025-01-01T10:31", "2025-01-01T10:30:00"]),
    (_text(inputType="month", min="2024-05", max="2024-07"), ["2024-04", "2024-05", "2024-08"]),
    (_text(inputType="week", min="2024-W10", max="2024-W20"), ["2024-W09", "2024-W10", "2024-W21"]),
    (_text(inputType="time", min="08:00", max="18:00"), ["07:59", "08:00", "18:01"]),
    (_text(inputType="text", min=5), ["1"]),
    (_text(inputType="url"), ["https://example.org", "nowhere"]),
    (_text(inputType="tel"), ["+49 30 1234"]),
    (_text(inputType="color"), ["#ff0000"]),
    (_text(inputType="password", isRequired=True), [None, "secret"]),
    ({"type": "comment", "name": "q", "isRequired": True}, [None, "\n", "long\ntext"]),
]

VALIDATORS: list[tuple[Json, list[Any]]] = [
    (_validated({"type": "numeric", "minValue": 3}), ["2", "3", "x", "", "2,5", "1e1", "0x10"]),
    (_validated({"type": "numeric", "maxValue": 3}), ["4", "3"]),
    (_validated({"type": "numeric", "minValue": 1, "maxValue": 3}), ["0", "2", "9"]),
    (_validated({"type": "numeric", "minValue": 1, "text": "One at least"}), ["0", "x", "1"]),
    (_validated({"type": "numeric"}, **NUMBER), [4]),
    (_validated({"type": "text", "minLength": 3}), ["ab", "abc", "😀a", "😀ab", " "]),
    (_validated({"type": "text", "maxLength": 3}), ["abc", "abcd", "😀😀"]),
    (_validated({"type": "text", "minLength": 2, "maxLength": 3}), ["a", "abcd", "abc"]),
    (_validated({"type": "text", "allowDigits": False}), ["abc1", "1abc", "abc"]),
    (
        _validated({"type": "regex", "regex": "^[A-Z]{3}$", "text": "Three capitals"}),
        ["ABC", "abc", "ABCD", ""],
    ),
    (
        _validated({"type": "regex", "regex": "^[A-Z]{3}$", "caseInsensitive": True, "text": "Three"}),
        ["abc", "ab1"],
    ),
    (_validated({"type": "regex", "regex": r"^\d{5}$", "text": "Zip"}), ["12345", "1234", "１２３４５"]),
    (_validated({"type": "regex", "regex": "a|b", "text": "Has a or b"}), ["xxa", "zzz"]),
    (
        _validated({"type": "regex", "regex": r"^\S+\s\S+$", "text": "Two words"}),
        ["a b", "ab", "a\u00a0b", "a\n b"],
    ),
    (_validated({"type": "email"}), ["a@b.cc", "x", ""]),
    (_validated({"type": "numeric", "minValue": 3, "notificationType": "warning"}), ["1"]),
    (_text(validators=[{"type": "text", "minLength": 9}, {"type": "email"}]), ["x", "long but no mail"]),
    (_text(isRequired=True, validators=[{"type": "text", "minLength": 9}]), [None, "x"]),
    (_text(inputType="email", validators=[{"type": "text", "minLength": 9}]), ["x", "a@b.cc"]),
    (_validated({"type": "answercount", "minCount": 2}), ["x"]),
]

CHOICE: list[tuple[Json, list[Any]]] = [
    ({"type": "dropdown", "choices": CHOICES, "isRequired": True}, [None, "red", 3, "3", "x"]),
    ({"type": "radiogroup", "choices": CHOICES}, [None, "green"]),
    ({"type": "radiogroup", "choices": CHOICES, "isRequired": True}, [None, "", "red"]),
    ({"type": "radiogroup", "choices": [0, 1, False], "isRequired": True}, [0, False, None]),
    ({"type": "radiogroup", "choices": CHOICES, "showNoneItem": True, "isRequired": True}, ["none"]),
    (
        {"type": "radiogroup", "choices": CHOICES, "showRefuseItem": True, "showDontKnowItem": True},
        ["refused", "dontknow"],
    ),
    ({"type": "radiogroup", "choices": CHOICES, "showOtherItem": True}, ["other", "red"]),
    (
        {"type": "radiogroup", "choices": CHOICES, "showOtherItem": True, "otherErrorText": "Which?"},
        ["other"],
    ),
    ({"type": "dropdown", "choicesMin": 1, "choicesMax": 5, "isRequired": True}, [1, 5, None]),
    ({"type": "checkbox", "choices": CHOICES, "isRequired": True}, [None, [], ["red"], ["red", 3]]),
    ({"type": "checkbox", "choices": CHOICES, "minSelectedChoices": 2}, [None, [], ["red"], ["red", "x"]]),
    ({"type": "checkbox", "choices": CHOICES, "minSelectedChoices": 2, "isRequired": True}, [None, ["red"]]),
    (
        {"type": "checkbox", "choices": CHOICES, "minSelectedChoices": 2, "showNoneItem": True},
        [["none"], ["red"]],
    ),
    ({"type": "checkbox", "choices": CHOICES, "maxSelectedChoices": 2}, [["red"], ["red", "x"]]),
    ({"type": "checkbox", "choices": CHOICES, "showOtherItem": True}, [["other"], ["red", "other"], ["red"]]),
    ({"type": "checkbox", "choices": CHOICES, "showSelectAllItem": True}, [["red", "green", 3, "x"]]),
    (
        {
            "type": "checkbox",
            "choices": CHOICES,
            "validators": [{"type": "answercount", "minCount": 2, "maxCount": 3}],
        },
        [None, ["red"], ["red", "x"], ["red", "green", 3, "x"]],
    ),
    (
        {
            "type": "checkbox",
            "choices": CHOICES,
            "validators": [{"type": "answercount", "minCount": 2, "text": "Two"}],
        },
        [["red"]],
    ),
    (
        {"type": "checkbox", "choices": CHOICES, "valuePropertyName": "v", "isRequired": True},
        [[{"v": "red"}], None],
    ),
    ({"type": "tagbox", "choices": CHOICES, "isRequired": True}, [None, ["green"]]),
    ({"type": "tagbox", "choices": CHOICES, "minSelectedChoices": 1}, [None, ["green"]]),
    ({"type": "ranking", "choices": ["a", "b", "c"], "isRequired": True}, [None, ["c", "a", "b"]]),
    (
        {"type": "ranking", "choices": ["a", "b", "c"], "selectToRankEnabled": True, "minSelectedChoices": 2},
        [["a"], ["a", "b"]],
    ),
    ({"type": "buttongroup", "choices": ["a", "b"], "isRequired": True}, [None, "a"]),
    ({"type": "imagepicker", "choices": ["a", "b"], "isRequired": True}, [None, "a"]),
    ({"type": "imagepicker", "choices": ["a", "b"], "multiSelect": True, "isRequired": True}, [None, ["a"]]),
    ({"type": "imagemap", "areas": [{"value": "a"}, {"value": "b"}], "isRequired": True}, [None, ["a"]]),
    (
        {"type": "imagemap", "areas": [{"value": "a"}, {"value": "b"}], "minSelectedAreas": 2},
        [None, ["a"], ["a", "b"]],
    ),
    (
        {"type": "imagemap", "areas": [{"value": "a"}, {"value": "b"}], "maxSelectedAreas": 1},
        [["a"], ["a", "b"]],
    ),
    ({"type": "boolean", "isRequired": True}, [None, True, False]),
    ({"type": "boolean", "valueTrue": "yes", "valueFalse": "no", "isRequired": True}, [None, "yes", "no"]),
    ({"type": "rating", "isRequired": True}, [None, 1, 5]),
    ({"type": "rating", "rateMin": 0, "rateMax": 10, "isRequired": True}, [0, 10]),
    ({"type": "rating", "rateValues": ["a", {"value": "b", "text": "B"}], "isRequired": True}, [None, "a"]),
    ({"type": "slider", "isRequired": True}, [None, 50, 0]),
    ({"type": "slider", "sliderType": "range", "isRequired": True}, [None, [10, 20]]),
    (
        {"type": "file", "isRequired": True},
        [None, [{"name": "a.txt", "type": "text/plain", "content": "data:,a"}]],
    ),
    ({"type": "signaturepad", "isRequired": True}, [None, "data:image/png;base64,AAAA"]),
]

ROWS, COLUMNS = ["r1", "r2"], ["c1", "c2", {"value": 3, "text": "three"}]
PEOPLE = [
    {"name": "who", "cellType": "text", "isRequired": True},
    {"name": "age", "cellType": "text", "inputType": "number", "min": 18},
]

MATRIX: list[tuple[Json, list[Any]]] = [
    ({"type": "matrix", "rows": ROWS, "columns": COLUMNS}, [None, {"r1": "c1"}, {"r1": 3}]),
    ({"type": "matrix", "rows": ROWS, "columns": COLUMNS, "isRequired": True}, [None, {"r1": "c1"}]),
    (
        {"type": "matrix", "rows": ROWS, "columns": COLUMNS, "eachRowRequired": True},
        [None, {"r1": "c1"}, {"r1": "c1", "r2": "c1"}],
    ),
    (
        {"type": "matrix", "rows": ROWS, "columns": COLUMNS, "isRequired": True, "eachRowRequired": True},
        [None],
    ),
    (
        {"type": "matrix", "rows": ROWS, "columns": COLUMNS, "eachRowUnique": True},
        [{"r1": "c1", "r2": "c1"}, {"r1": "c1", "r2": "c2"}, {"r1": "c1"}],
    ),
    (
        {"type": "matrix", "rows": ROWS, "columns": COLUMNS, "cellType": "checkbox", "eachRowRequired": True},
        [{"r1": ["c1", "c2"]}, {"r1": ["c1"], "r2": ["c2"]}],
    ),
    ({"type": "matrix", "columns": COLUMNS, "isRequired": True}, [None]),
    (
        {
            "type": "matrixdropdown",
            "rows": ROWS,
            "columns": [{"name": "a", "isRequired": True}],
            "choices": [1, 2],
        },
        [None, {"r1": {"a": 1}}, {"r1": {"a": 1}, "r2": {"a": 2}}],
    ),
    (
        {"type": "matrixdropdown", "rows": ROWS, "columns": PEOPLE, "isRequired": True},
        [None, {"r1": {"who": "x", "age": 17}, "r2": {"who": "y", "age": 18}}],
    ),
    (
        {
            "type": "matrixdropdown",
            "rows": ROWS,
            "columns": [{"name": "a", "isUnique": True, "cellType": "text"}],
        },
        [{"r1": {"a": "X"}, "r2": {"a": "x"}}, {"r1": {"a": "X"}, "r2": {"a": "y"}}],
    ),
    (
        {
            "type": "matrixdropdown",
            "rows": ROWS,
            "cellType": "text",
            "columns": [{"name": "a", "validators": [{"type": "email"}]}],
        },
        [{"r1": {"a": "x"}}, {"r1": {"a": "x@y.zz"}}],
    ),
    (
        {
            "type": "matrixdropdown",
            "rows": ROWS,
            "columns": [{"name": "a", "cellType": "checkbox", "choices": [1, 2], "minSelectedChoices": 2}],
        },
        [None, {"r1": {"a": [1]}}, {"r1": {"a": [1, 2]}, "r2": {"a": [1, 2]}}],
    ),
    (
        {
            "type": "matrixdropdown",
            "rows": ROWS,
            "columns": [{"name": "a", "cellType": "radiogroup", "choices": [1], "showOtherItem": True}],
        },
        [{"r1": {"a": "other"}}, {"r1": {"a": "other", "a-Comment": "w"}}],
    ),
    (
        {
            "type": "matrixdropdown",
            "rows": ROWS,
            "columns": [
                {"name": "a", "cellType": "boolean", "isRequired": True},
                {"name": "b", "cellType": "rating"},
                {"name": "c", "cellType": "comment"},
            ],
        },
        [{"r1": {"a": False}, "r2": {"a": True, "b": 3, "c": "text"}}],
    ),
    ({"type": "matrixdynamic", "columns": PEOPLE}, [None, [], [{"who": "a"}], [{"who": "a", "age": 3}, {}]]),
    ({"type": "matrixdynamic", "columns": PEOPLE, "rowCount": 0}, [None, [{}], [{"who": "a"}]]),
    ({"type": "matrixdynamic", "columns": PEOPLE, "rowCount": 0, "minRowCount": 2}, [None, [{"who": "a"}]]),
    (
        {
            "type": "matrixdynamic",
            "columns": [{"name": "a", "cellType": "text"}],
            "minRowCount": 2,
            "isRequired": True,
        },
        [None, [], [{"a": "x"}], [{"a": "x"}, {"a": "y"}], [{"a": "x"}, {}]],
    ),
    (
        {"type": "matrixdynamic", "columns": [{"name": "a", "cellType": "text"}], "minRowCount": 2},
        [[{"a": "x"}]],
    ),
    (
        {
            "type": "matrixdynamic",
            "columns": [{"name": "a", "cellType": "text"}],
            "keyName": "a",
            "keyDuplicationError": "Twice",
        },
        [[{"a": "x"}, {"a": "x"}, {"a": "y"}, {"a": "x"}]],
    ),
    (
        {
            "type": "matrixdynamic",
            "columns": [{"name": "a", "cellType": "text"}],
            "detailPanelMode": "underRow",
            "detailElements": [{"type": "text", "name": "d", "isRequired": True}],
        },
        [None, [], [{"a": "x"}], [{"a": "x", "d": "y"}]],
    ),
    (
        {
            "type": "matrixdynamic",
            "columns": [{"name": "a", "cellType": "text"}],
            "detailPanelMode": "underRow",
            "detailElements": [
                {"type": "panel", "name": "p", "isRequired": True, "elements": [_text(name="d")]}
            ],
        },
        [[{"a": "x"}], [{"d": "x"}]],
    ),
    (
        {
            "type": "matrixdynamic",
            "columns": [{"name": "a", "cellType": "text"}],
            "detailElements": [{"type": "text", "name": "d", "isRequired": True}],
        },
        [[{"a": "x"}]],
    ),
    ({"type": "matrixdynamic", "columns": PEOPLE, "maxRowCount": 1, "rowCount": 3}, [None, [{"who": "x"}]]),
    (
        {"type": "matrixdynamic", "columns": PEOPLE, "minRowCount": 3, "rowCount": 1},
        [None, [], [{"who": "x"}]],
    ),
]

PANEL: list[tuple[Json, list[Any]]] = [
    (
        {"type": "paneldynamic", "templateElements": [_text(name="a", isRequired=True)]},
        [None, [{"a": "x"}], [{"a": "x"}, {}]],
    ),
    (
        {"type": "paneldynamic", "templateElements": [_text(name="a", isRequired=True)], "panelCount": 2},
        [None, [], [{"a": "x"}]],
    ),
    (
        {"type": "paneldynamic", "templateElements": [_text(name="a", isRequired=True)], "minPanelCount": 2},
        [None, [{"a": "x"}], [{"a": "x"}, {"a": "y"}]],
    ),
    (
        {"type": "paneldynamic", "templateElements": [_text(name="a")], "isRequired": True},
        [None, [], [{"a": "x"}]],
    ),
    (
        {"type": "paneldynamic", "templateElements": [_text(name="a")], "keyName": "a"},
        [[{"a": "x"}, {"a": "x"}, {"a": "x"}], [{"a": "x"}, {"a": "X"}]],
    ),
    (
        {
            "type": "paneldynamic",
            "templateElements": [
                {"type": "panel", "name": "p", "elements": [_text(name="a", inputType="email")]},
                {"type": "paneldynamic", "name": "b", "templateElements": [_text(name="c", isRequired=True)]},
            ],
        },
        [[{"a": "x", "b": [{}]}], [{"a": "x@y.zz", "b": [{"c": "z"}]}]],
    ),
    (
        {"type": "multipletext", "items": [{"name": "a"}, {"name": "b"}], "isRequired": True},
        [None, {"a": "x"}, {"a": ""}],
    ),
    (
        {"type": "multipletext", "items": [{"name": "a", "isRequired": True}, {"name": "b"}]},
        [None, {"b": "x"}, {"a": "y"}],
    ),
    (
        {
            "type": "multipletext",
            "items": [{"name": "a", "isRequired": True, "requiredErrorText": "A?"}],
            "isRequired": True,
            "requiredErrorText": "All?",
        },
        [None, {"a": "x"}],
    ),
    (
        {
            "type": "multipletext",
            "items": [
                {
                    "name": "a",
                    "title": "Size",
                    "inputType": "number",
                    "validators": [{"type": "numeric", "minValue": 3}],
                }
            ],
        },
        [{"a": 2}, {"a": 3}],
    ),
    ({"type": "multipletext", "items": [{"name": "a", "inputType": "email"}]}, [{"a": "x"}, {"a": "x@y.zz"}]),
]

WHOLE: list[tuple[str, Json, Json]] = [
    (
        "panel required, read-only question",
        {
            "elements": [
                {"type": "panel", "name": "p", "isRequired": True, "elements": [_text(readOnly=True)]}
            ]
        },
        {},
    ),
    (
        "panel required, hidden question",
        {
            "elements": [
                {"type": "panel", "name": "p", "isRequired": True, "elements": [_text(visible=False)]}
            ]
        },
        {},
    ),
    (
        "panel required",
        {
            "elements": [
                {
                    "type": "panel",
                    "name": "p",
                    "isRequired": True,
                    "elements": [_text(name="a"), _text(name="b")],
                }
            ]
        },
        {},
    ),
    (
        "panel required, answered",
        {
            "elements": [
                {
                    "type": "panel",
                    "name": "p",
                    "isRequired": True,
                    "elements": [_text(name="a"), _text(name="b")],
                }
            ]
        },
        {"b": "x"},
    ),
    (
        "page required",
        {
            "pages": [
                {"name": "p", "isRequired": True, "requiredErrorText": "One!", "elements": [_text(name="a")]}
            ]
        },
        {},
    ),
    (
        "nested panels",
        {
            "elements": [
                {
                    "type": "panel",
                    "name": "p",
                    "elements": [{"type": "panel", "name": "i", "elements": [_text(isRequired=True)]}],
                }
            ]
        },
        {},
    ),
    (
        "hidden panel",
        {
            "elements": [
                {"type": "panel", "name": "p", "visible": False, "elements": [_text(isRequired=True)]}
            ]
        },
        {},
    ),
    (
        "read-only panel",
        {
            "elements": [
                {
                    "type": "panel",
                    "name": "p",
                    "readOnly": True,
                    "isRequired": True,
                    "elements": [_text(isRequired=True)],
                }
            ]
        },
        {},
    ),
    ("read-only survey", {"readOnly": True, "elements": [_text(isRequired=True)]}, {}),
    ("display mode", {"mode": "display", "elements": [_text(isRequired=True)]}, {}),
    (
        "two pages",
        {
            "pages": [
                {"elements": [_text(name="a", isRequired=True)]},
                {"elements": [_text(name="b", isRequired=True)]},
            ]
        },
        {"a": "x"},
    ),
    ("legacy questions key", {"questions": [_text(isRequired=True)]}, {}),
    (
        "locale",
        {
            "locale": "de",
            "elements": [_text(isRequired=True, requiredErrorText={"default": "Say", "de": "Sag"})],
        },
        {},
    ),
    (
        "other with comment",
        {"elements": [{"type": "radiogroup", "name": "q", "choices": [1], "showOtherItem": True}]},
        {"q": "other", "q-Comment": "this"},
    ),
    (
        "other with blank comment",
        {"elements": [{"type": "radiogroup", "name": "q", "choices": [1], "showOtherItem": True}]},
        {"q": "other", "q-Comment": " "},
    ),
    (
        "other stored in place",
        {
            "storeOthersAsComment": False,
            "elements": [
                {"type": "radiogroup", "name": "q", "choices": [1], "showOtherItem": True, "isRequired": True}
            ],
        },
        {"q": "something else"},
    ),
    (
        "other in place, empty",
        {
            "storeOthersAsComment": False,
            "elements": [{"type": "radiogroup", "name": "q", "choices": [1], "showOtherItem": True}],
        },
        {"q": "other"},
    ),
    (
        "comment area",
        {"elements": [{"type": "radiogroup", "name": "q", "choices": [1], "showCommentArea": True}]},
        {"q": 1, "q-Comment": "why"},
    ),
    (
        "choice with a comment",
        {
            "elements": [
                {
                    "type": "radiogroup",
                    "name": "q",
                    "choices": [1, {"value": 2, "showCommentArea": True, "isCommentRequired": True}],
                }
            ]
        },
        {"q": 2},
    ),
    (
        "choice with its comment",
        {
            "elements": [
                {
                    "type": "radiogroup",
                    "name": "q",
                    "choices": [1, {"value": 2, "showCommentArea": True, "isCommentRequired": True}],
                }
            ]
        },
        {"q": {"value": 2, "comment": "so"}},
    ),
    (
        "checked choice with its comment",
        {
            "elements": [
                {
                    "type": "checkbox",
                    "name": "q",
                    "choices": [1, {"value": 2, "showCommentArea": True, "isCommentRequired": True}],
                }
            ]
        },
        {"q": [{"value": 1}, {"value": 2, "comment": "so"}]},
    ),
    ("valueName", {"elements": [_text(valueName="v", isRequired=True)]}, {"v": "x"}),
    ("valueName, missing", {"elements": [_text(valueName="v", isRequired=True)]}, {}),
    (
        "shared valueName",
        {
            "elements": [
                _text(name="a", valueName="v", isRequired=True),
                _text(name="b", valueName="v", validators=[{"type": "text", "minLength": 3}]),
            ]
        },
        {"v": "x"},
    ),
    (
        "expression and html",
        {
            "elements": [
                _text(),
                {"type": "expression", "name": "e", "expression": "1+1"},
                {"type": "html", "name": "h", "html": "<b>x</b>"},
                {"type": "image", "name": "i"},
            ]
        },
        {"q": "x"},
    ),
    (
        "carried forward",
        {
            "elements": [
                {"type": "checkbox", "name": "a", "choices": [1, 2]},
                {"type": "radiogroup", "name": "b", "choicesFromQuestion": "a", "isRequired": True},
            ]
        },
        {"a": [1], "b": 2},
    ),
    (
        "nested choice elements",
        {
            "elements": [
                {
                    "type": "radiogroup",
                    "name": "q",
                    "choices": [{"value": 1, "elements": [_text(name="why")]}, 2],
                }
            ]
        },
        {"q": 1, "why": "so"},
    ),
]


def pairs() -> Iterator[tuple[str, Json, Json]]:
    for table in (TEXT, VALIDATORS, CHOICE, MATRIX, PANEL):
        for element, answers in table:
            for answer in answers:
                form = {"elements": [{"name": "q", **element}]}
                data = {} if answer is None else {"q": answer}
                yield f"{element['type']} {answer!r}"[:60], form, data
    yield from WHOLE
