"""Forms and answers, feature by feature, that survey-core and we must judge alike."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]
Case = tuple[list[Json] | Json, Json]
"""Elements, or a form; and answers."""


def text(name: str, **more: Any) -> Json:
    return {"type": "text", "name": name, **more}


def number(name: str, **more: Any) -> Json:
    return text(name, inputType="number", **more)


def panels(*elements: Json, **more: Any) -> Json:
    return {"type": "paneldynamic", "name": "p", "templateElements": list(elements), **more}


def _columns(names: tuple[str | Json, ...]) -> list[Json]:
    return [{"name": one, "cellType": "text"} if isinstance(one, str) else one for one in names]


def rows(*columns: str | Json, **more: Any) -> Json:
    return {"type": "matrixdynamic", "name": "m", "columns": _columns(columns), **more}


def table(*columns: str | Json, **more: Any) -> Json:
    lines = ["r", {"value": "s", "enableIf": "{a} = 1"}]
    return {"type": "matrixdropdown", "name": "m", "rows": lines, "columns": _columns(columns), **more}


def choice(name: str, **more: Any) -> Json:
    choices = ["a", "b", {"value": "c", "visibleIf": "{z} = 1"}]
    return {"type": "checkbox", "name": name, "choices": choices, **more}


def taken(mode: str, **more: Any) -> Json:
    return {
        "type": "checkbox",
        "name": "r",
        "choicesFromQuestion": "q",
        "choicesFromQuestionMode": mode,
        **more,
    }


def items(**more: Any) -> Json:
    return {"type": "multipletext", "name": "t", "items": [{"name": "x", **more}]}


def opening(kind: str, *elements: Json) -> Json:
    return {"type": kind, "name": "q", "choices": [{"value": "a", "elements": list(elements)}, "b"]}


def triggered(trigger: Json, *elements: Json) -> Json:
    return {"elements": list(elements), "triggers": [trigger]}


def visible(*names: str, **more: Any) -> Json:
    return {"type": "visible", "expression": "{a} = 1", "questions": list(names), **more}


IMAGE: Final = {"type": "image", "name": "i"}
SUM: Final = {"type": "expression", "name": "e", "expression": "{a} + 1"}
ON_E: Final = {"expression": "{e} = 2", "setToName": "b"}
REQUIRED: Final = {"name": "x", "cellType": "text", "isRequired": True}
UNIQUE: Final = {"name": "x", "cellType": "text", "isUnique": True}
YES: Final = {"name": "x", "cellType": "boolean", "defaultValue": "true", "valueTrue": "y", "valueFalse": "n"}
DEFAULT: Final = {"name": "x", "cellType": "text", "defaultValue": "d"}
COMPUTED: Final = {"name": "x", "cellType": "text", "defaultValueExpression": "1 + 1"}
HIDING: Final = {
    "choices": ["a", "b"],
    "hideIfChoicesEmpty": True,
    "choicesVisibleIf": "{a} = 2",
    "isRequired": True,
}
GOES: Final = [text("a", visibleIf="{z} = 1"), text("z")]
WENT: Final = {"a": "5", "b": "x", "z": "2"}
ALIKE: Final = [{"x": "1"}, {"x": "1"}]

LIMITS: Final[list[Case]] = [
    ([number("a", minValueExpression="{b}"), number("b")], {"a": 1, "b": 2}),
    ([number("a", minValueExpression="{b}", min=5), number("b")], {"a": 1}),
    ([number("a", maxValueExpression="{b} + 1", maxErrorText="m {0}"), number("b")], {"a": 4, "b": 2}),
    ([text("a", maxValueExpression="{b}"), text("b")], {"a": "b", "b": "a"}),
    ([text("a", inputType="date", minValueExpression="today()")], {"a": "2020-01-01"}),
    ([text("a", inputType="date", maxValueExpression="{b}"), text("b")], {"a": "3020-01-01"}),
    ([text("a", inputType="date")], {"a": "3020-01-01"}),
    ([text("a", inputType="datetime-local", minValueExpression="currentDate()")], {"a": "2020-01-01T10:00"}),
    ([text("a", inputType="time", minValueExpression="{b}"), text("b")], {"a": "10:00", "b": "11:00"}),
    ([number("a", minValueExpression="{b}", readOnly=True), number("b")], {"a": 1, "b": 2}),
    ([panels(number("x"), number("y", minValueExpression="{panel.x}"))], {"p": [{"x": 3, "y": 2}]}),
]
ROWS: Final[list[Case]] = [
    ([rows("x", isRequired=True, rowCount=3, minRowCount=1)], {}),
    ([rows("x", requiredIf="true", rowCount=3, minRowCount=1)], {}),
    ([rows("x", isRequired=True, rowCount=2, minRowCount=2)], {}),
    ([rows("x", isRequired=True, rowCount=0, minRowCount=1)], {}),
    ([rows("x", minRowCount=1), text("a", visibleIf="{m} notempty", isRequired=True)], {}),
    ([rows("x", "y")], {"m": [{"x": " "}, {"y": "1"}]}),
    ([rows(UNIQUE, readOnly=True)], {"m": ALIKE}),
    ([rows(UNIQUE, rowsVisibleIf="{row.x} = 2")], {"m": ALIKE}),
    ([rows(UNIQUE, visible=False, clearIfInvisible="none")], {"m": ALIKE}),
    ([panels(text("x"), keyName="x", readOnly=True)], {"p": ALIKE}),
    ([panels(text("x"), keyName="x", templateVisibleIf="{panel.x} = 2")], {"p": ALIKE}),
    ([rows("x", rowCountExpression="{n}"), number("n")], {"m": [{"x": "1"}, {"x": "2"}, {"x": "3"}], "n": 2}),
    ([rows(REQUIRED, rowCountExpression="{n}"), number("n")], {"n": 2}),
    ([rows(REQUIRED, rowCountExpression="{n}"), number("n")], {}),
    ([panels(text("x", isRequired=True), panelCountExpression="{n}"), number("n")], {"n": 2}),
    ([panels(text("x", isRequired=True), bindings={"panelCount": "n"}), number("n")], {"n": 2}),
    ([rows(REQUIRED, bindings={"rowCount": "n"}), number("n")], {"n": 3}),
    ([rows(REQUIRED, "y", columnsVisibleIf="{a} = 1"), text("a")], {"m": [{"y": "1"}]}),
    ([table(REQUIRED), text("a")], {}),
    ([table(REQUIRED), text("a")], {"a": "1"}),
    (
        [table(REQUIRED, hideIfRowsEmpty=True, rowsVisibleIf="{a} = 2", isRequired=True), text("a")],
        {"a": "1"},
    ),
]
DEFAULTS: Final[list[Case]] = [
    ([rows(DEFAULT, rowCount=2)], {}),
    ([rows(DEFAULT, "y", rowCount=2)], {"m": [{"y": "1"}]}),
    ([rows(COMPUTED, "y", rowCount=2)], {"m": [{"y": "1"}]}),
    ([rows(YES)], {}),
    ([table(DEFAULT, "y")], {"m": {"r": {"y": "1"}}}),
    ([table(COMPUTED)], {}),
    ([panels(text("x", defaultValue="d", isRequired=True), text("y"))], {"p": [{"y": "1"}]}),
    ([panels(text("x", defaultValueExpression="1 + 1"), text("y"), panelCount=2)], {}),
    ([items(defaultValueExpression="1 + 1")], {}),
    ([{"type": "panel", "name": "n", "visibleIf": "{z} = 1",
       "elements": [text("x", defaultValue="d", isRequired=True)]}, text("z")], {"z": "1"}),
    ([{"type": "panel", "name": "n", "elements": [text("x", defaultValue="d", visibleIf="{z} = 1")]},
      text("z")], {"z": "1"}),
    ([text("x", defaultValue="d", visibleIf="{z} = 1"), text("z")], {"z": "1"}),
    ([table("y", detailPanelMode="underRow",
            detailElements=[text("u", defaultValue="d", isRequired=True)])], {}),
]  # fmt: skip
CHOICES: Final[list[Case]] = [
    ([choice("q"), taken("selected")], {"q": ["a", "b"], "r": ["b"]}),
    ([choice("q"), taken("unselected")], {"q": ["a"], "r": ["b"]}),
    ([choice("q"), taken("all")], {"q": ["a"], "r": ["b"]}),
    ([choice("q", showOtherItem=True), taken("selected")],
     {"q": ["other"], "q-Comment": "w", "r": ["other"]}),
    ([choice("q"), taken("selected", isRequired=True)], {}),
    ([choice("q"), taken("selected", isRequired=True, hideIfChoicesEmpty=True)], {}),
    ([choice("q", visible=False), taken("selected", isRequired=True)], {"q": ["a"], "r": ["a"]}),
    ([{"type": "ranking", "name": "q", "choices": [1, 2]}, taken("unselected", isRequired=True)], {}),
    ([panels(text("x"), text("y")), {"type": "checkbox", "name": "r", "choicesFromQuestion": "p",
                                     "choiceValuesFromQuestion": "y"}], {"p": [{"y": "2"}], "r": ["2"]}),
    ([panels(choice("x"), {"type": "dropdown", "name": "y", "choicesFromQuestion": "panel.x",
                           "choicesFromQuestionMode": "selected"})], {"p": [{"x": ["a"], "y": "a"}]}),
    ([text("q"), taken("all", choices=["a"])], {"q": "a", "r": ["a"]}),
    ([{"type": "checkbox", "name": "q", **HIDING}, text("a")], {"a": "1"}),
    ([{"type": "checkbox", "name": "q", "showNoneItem": True, **HIDING}, text("a")],
     {"a": "1", "q": ["none"]}),
    ([choice("q", readOnly=True), text("z")], {"q": ["a", "c"]}),
    *(([opening(kind, text("n", isRequired=True))], data)
      for kind, one in (("radiogroup", "a"), ("checkbox", ["a"]))
      for data in ({"q": one}, {"q": one, "n": "x"})),
    ([opening("radiogroup", text("n", isRequired=True))], {"q": "b", "n": "x"}),
]  # fmt: skip
TRIGGERS: Final[list[Case]] = [
    # A calculated value is the answer itself: what does not show in that is cleared here too.
    ({"elements": [panels(text("a", visible=False), text("b"))],
      "calculatedValues": [{"name": "v", "expression": "{p}", "includeIntoResult": True}]},
     {"p": [{"a": "x", "b": "y"}]}),
    ({"elements": [text("a", visible=False), text("b")],
      "calculatedValues": [{"name": "v", "expression": "{a}", "includeIntoResult": True}]},
     {"a": "x", "b": "y"}),
    # Cells are made with their rows, so one that is locked is computed, and has its default.
    *(
        ([text("q"), rows({"name": "x", "cellType": "expression", "expression": "1 + 1", **lock}, "y")],
         {"q": "1"})
        for lock in ({"readOnly": True}, {"enableIf": "{q} empty"})
    ),
    ([text("q"), rows({"name": "x", "cellType": "boolean", "defaultValue": True}, enableIf="{q} empty")],
     {"q": "1"}),
    ([text("q"), {"type": "matrixdropdown", "name": "m", "rows": ["r", {"value": "s", "enableIf": "{q} = 2"}],
                  "columns": [{"name": "x", "cellType": "expression", "expression": "1 + 1"}]}], {"q": "1"}),
    # An imagemap that is not answered is nothing, not a list of nothing.
    ([text("a", visibleIf="!{m}"), {"type": "imagemap", "name": "m", "areas": [{"value": 1}]}], {"a": "x"}),
    # What is cleared within an answer is a change of that answer.
    ([text("q0", setValueExpression="{p}"), panels(text("x", visible=False))],
     {"q0": "B", "p": [{"x": "a"}]}),
    ([text("q0", setValueExpression="{p.length}"), panels(text("x", visible=False), text("y"))],
     {"q0": "B", "p": [{"x": "a", "y": "b"}] * 2}),
    ([text("q0", resetValueIf="{p} notempty"), panels(text("x", visible=False), text("y"))],
     {"q0": "B", "p": [{"x": "a", "y": "b"}]}),
    ([panels(text("x", visible=False), text("y")),
      {"type": "dropdown", "name": "q0", "choicesFromQuestion": "p", "choiceValuesFromQuestion": "x"}],
     {"q0": "a", "p": [{"x": "a", "y": "b"}]}),
    (triggered(visible("b"), text("a"), text("b", visible=False, isRequired=True)), {"a": "1"}),
    (triggered(visible("b"), text("a"), text("b", visible=False)), {"a": "2", "b": "x"}),
    (triggered(visible("b"), text("a"), text("b", isRequired=True)), {}),
    (triggered({"type": "visible", "name": "a", "operator": "equal", "value": 1, "questions": ["b"]},
               text("a"), text("b", isRequired=True)), {"a": "2"}),
    ([*GOES, text("b", setValueExpression="{a} + 1"), text("c", setValueExpression="{b} + 1")], WENT),
    ([*GOES, text("b", setValueIf="{a} empty", setValueExpression="'c'")], WENT),
    ([*GOES, text("b", setValueIf="{a} empty")], WENT),
    ([*GOES, text("b", resetValueIf="{a} empty", defaultValue="d")], WENT),
    ([*GOES, text("b", setValueExpression="{z} + 1")], WENT),
    (triggered({"type": "setvalue", "expression": "{a} = 1", "setToName": "b", "setValue": "v"},
               text("a"), text("b")), {"a": "1"}),
    *((triggered(trigger, text("b"), SUM, number("a")), data)
      for trigger in ({"type": "setvalue", "setValue": "v", **ON_E},
                      {"type": "copyvalue", "setToName": "b", "fromName": "e"},
                      {"type": "runexpression", "runExpression": "{e} * 2", **ON_E})
      for data in ({"a": 1}, {"a": 1, "e": 2})),
]  # fmt: skip
GROUPS: Final[list[Case]] = [
    ([{"type": "panel", "name": "n", "isRequired": True, "elements": [IMAGE]}, text("a")], {}),
    ([text("a", requiredIf="{t} != {r}"), items(),
      choice("r")], {}),
    ([panels(text("x", visible=False, clearIfInvisible="onComplete")), {**text("a")}], {"p": [{"x": "1"}]}),
]  # fmt: skip
