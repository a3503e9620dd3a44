"""What a generated form says of each type of question: the properties that bear on a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.agreement.author import Author

Json = dict[str, Any]
Maker = Callable[["Author", str], Json]

CHOICES: Final = ["a", "b", "c", 1, 2, {"value": "d", "text": "D"}, {"value": 3, "text": "three"}]
LIMITS: Final[Mapping[str, list[Any]]] = {
    "number": [0, 1, 2, 5],
    "range": [0, 10],
    "date": ["2025-01-01", "2025-06-30"],
    "datetime-local": ["2025-01-01T10:30", "2025-06-30T00:00"],
    "month": ["2025-01", "2025-06"],
    "week": ["2025-W01", "2025-W20"],
    "time": ["08:00", "12:30"],
}
INPUTS: Final = [*LIMITS, "email", "url", "tel", "color", "password", "text"]
VALIDATORS: Final[list[Json]] = [
    {"type": "numeric", "minValue": 1},
    {"type": "numeric", "maxValue": 3, "text": "three at most"},
    {"type": "text", "minLength": 2},
    {"type": "text", "maxLength": 3},
    {"type": "text", "minLength": 1, "maxLength": 2},
    {"type": "regex", "regex": "^[a-z]+$", "text": "letters"},
    {"type": "email"},
    {"type": "email", "notificationType": "warning"},
]


def text(author: Author, name: str) -> Json:
    element: Json = {}
    if author.maybe(0.6):
        element["inputType"] = author.chance.choice(INPUTS)
    limits = LIMITS.get(element.get("inputType", ""))
    if limits and author.maybe(0.5):
        element[author.chance.choice(["min", "max"])] = author.chance.choice(limits)
    elif element.get("inputType") in ("number", "date", "time", "month") and author.maybe(author.likes):
        element[author.chance.choice(["minValueExpression", "maxValueExpression"])] = author.term()
    if element.get("inputType") == "number" and author.maybe(0.2):
        element["step"] = author.chance.choice([1, 0.5, 2])
    if author.maybe(0.1) and not limits:
        element["maxLength"] = 8
    if author.maybe(0.2) and not limits:
        element["validators"] = [author.chance.choice(VALIDATORS)]
    return element


def comment(author: Author, name: str) -> Json:
    return {"validators": [author.chance.choice(VALIDATORS)]} if author.maybe(0.2) else {}


def select(author: Author, name: str) -> Json:
    """What all questions with choices have."""
    if author.maybe(0.12) and (givers := [one for one in author.earlier if one["type"] in GIVERS]):
        return carried(author, author.chance.choice(givers))
    element: Json = {"choices": author.chance.sample(CHOICES, author.chance.randint(2, 6))}
    if author.maybe(0.2):
        for flag in ("showNoneItem", "showOtherItem", "showRefuseItem", "showDontKnowItem"):
            if author.maybe(0.4):
                element[flag] = True
    author.when(element, "choicesVisibleIf", 0.25)
    if author.maybe(0.04) and "choicesVisibleIf" in element:
        element["hideIfChoicesEmpty"] = True
    if author.maybe(author.likes * 0.2) and "choices" in element:
        choice = element["choices"][0]
        value = choice if not isinstance(choice, dict) else choice["value"]
        element["choices"][0] = {"value": value, "visibleIf": author.condition()}
    if author.maybe(0.05):
        element["showCommentArea"] = True
    return element


GIVERS: Final = ("checkbox", "tagbox", "radiogroup", "dropdown", "ranking", "paneldynamic", "matrixdynamic")


def carried(author: Author, giver: Json) -> Json:
    """Choices of another question."""
    element: Json = {"choicesFromQuestion": giver["name"], "choices": []}
    if giver["type"] in ("paneldynamic", "matrixdynamic"):
        element["choiceValuesFromQuestion"] = "x"
    else:
        element["choicesFromQuestionMode"] = author.chance.choice(["all", "selected", "unselected"])
    if author.maybe(0.2):
        element["hideIfChoicesEmpty"] = True
    author.when(element, "choicesVisibleIf", 0.2)
    return element


def opening(author: Author, element: Json, name: str) -> Json:
    """Questions within a choice."""
    if (
        "valuePropertyName" not in element
        and element["choices"]
        and author.maybe(0.08)
        and name in author.all
    ):
        choice = element["choices"][-1]
        value = choice["value"] if isinstance(choice, dict) else choice
        element["choices"][-1] = {"value": value, "elements": [author.within(f"{name}n", "")]}
    return element


def many(author: Author, name: str) -> Json:
    element = select(author, name)
    if author.maybe(0.2):
        element["minSelectedChoices"] = 2
    elif author.maybe(0.1):
        element["maxSelectedChoices"] = 2
    if author.maybe(0.15):
        element["validators"] = [{"type": "answercount", "minCount": 2, "maxCount": 3}]
    return element


def checkbox(author: Author, name: str) -> Json:
    element = many(author, name)
    if author.maybe(0.05) and "showOtherItem" not in element and "showCommentArea" not in element:
        element["valuePropertyName"] = "w"
    return opening(author, element, name)


def radiogroup(author: Author, name: str) -> Json:
    return opening(author, select(author, name), name)


def plain(author: Author, name: str) -> Json:
    """Choices without `other` and the like."""
    return {"choices": author.chance.sample(CHOICES, author.chance.randint(2, 6))}


def ranking(author: Author, name: str) -> Json:
    element = plain(author, name)
    if author.maybe(0.3):
        element |= {"selectToRankEnabled": True, "minSelectedChoices": 2}
    return element


def imagepicker(author: Author, name: str) -> Json:
    return plain(author, name) | ({"multiSelect": True} if author.maybe(0.5) else {})


def imagemap(author: Author, name: str) -> Json:
    element: Json = {"areas": [{"value": value} for value in "abc"]}
    if author.maybe(0.3):
        element["minSelectedAreas"] = 2
    return element


def boolean(author: Author, name: str) -> Json:
    return {"valueTrue": "yes", "valueFalse": "no"} if author.maybe(0.3) else {}


def rating(author: Author, name: str) -> Json:
    return author.chance.choice(
        [
            {},
            {"rateMin": 0, "rateMax": 10},
            {"rateCount": 4},
            {"rateValues": ["a", 2, {"value": "z", "text": "Z"}]},
        ]
    )


def slider(author: Author, name: str) -> Json:
    return {"sliderType": "range"} if author.maybe(0.3) else {}


def defaults(author: Author, element: Json) -> Json:
    """A default for some of those that may have one."""
    kind = element.get("type") or element["cellType"]
    if kind in ("text", "comment") and element.get("inputType", "text") == "text":
        if author.maybe(0.08):
            element["defaultValue"] = author.chance.choice(["a", "5", "x y"])
        elif author.maybe(author.likes * 0.2):
            element["defaultValueExpression"] = author.chance.choice(
                ["1 + 1", "'a'", f"iif({author.term()} = 1, 'b', '')"]
            )
    elif kind in ("radiogroup", "dropdown") and element["choices"] and author.maybe(0.08):
        first = element["choices"][0]
        element["defaultValue"] = first["value"] if isinstance(first, dict) else first
    elif kind == "boolean" and author.maybe(0.08):
        element["defaultValue"] = author.chance.choice([True, "true"])
    return element


def expression(author: Author, name: str) -> Json:
    return {"expression": author.before(name if name in author.all else author.all[0])}


def nothing(author: Author, name: str) -> Json:
    return {}


def html(author: Author, name: str) -> Json:
    return {"html": "<b>see</b>"}


def file(author: Author, name: str) -> Json:
    return {"allowMultiple": True} if author.maybe(0.5) else {}


def matrix(author: Author, name: str) -> Json:
    element: Json = {"rows": ["r1", "r2", {"value": "r3", "text": "R"}], "columns": ["c1", "c2", 3]}
    if author.maybe(0.2):
        element["cellType"] = "checkbox"
    for flag in ("eachRowRequired", "eachRowUnique"):
        if author.maybe(0.2):
            element[flag] = True
    author.when(element, "rowsVisibleIf", 0.4)
    author.when(element, "columnsVisibleIf", 0.3)
    if author.maybe(0.1):
        element["hideIfRowsEmpty"] = True
    return element


def _table(author: Author, name: str) -> Json:
    element: Json = {"columns": [author.column(part) for part in "xyz"[: author.chance.randint(1, 3)]]}
    element["choices"] = author.chance.sample(CHOICES, 4)
    author.when(element, "rowsVisibleIf", 0.4, "row.")
    author.when(element, "columnsVisibleIf", 0.2)
    if author.maybe(0.12):
        element |= {"detailPanelMode": "underRow", "detailElements": [detail(author)]}
    return element


def detail(author: Author) -> Json:
    """No expression: we compute it where a row has answers, survey-core where the panel was opened."""
    while (element := author.within("u", "row."))["type"] == "expression" or "showOtherItem" in element:
        pass  # nor a comment, which survey-core does not read back there
    return element


def matrixdropdown(author: Author, name: str) -> Json:
    element = {**_table(author, name), "rows": ["r1", {"value": "r2"}]}
    author.when(element["rows"][1], "visibleIf", 0.2)
    author.when(element["rows"][1], "enableIf", 0.2)
    if author.maybe(0.05):
        element["hideIfRowsEmpty"] = True
    return element


def matrixdynamic(author: Author, name: str) -> Json:
    element = _table(author, name)
    element["rowCount"] = author.chance.choice([0, 0, 1, 2])
    if author.maybe(0.1):
        element["minRowCount"] = 1
    elif author.maybe(author.likes * 0.3):
        element["rowCountExpression"] = author.term()
    if author.maybe(0.15):
        element["keyName"] = "x"
    return element


def multipletext(author: Author, name: str) -> Json:
    items: list[Json] = []
    for part in "xyz"[: author.chance.randint(1, 3)]:
        item = {"name": part, **text(author, part)}
        for own in ("min", "max", "step"):  # survey-core reads none of these here
            item.pop(own, None)
        if author.maybe(0.3):
            item["isRequired"] = True
        items.append(item)
    return {"items": items}


def paneldynamic(author: Author, name: str) -> Json:
    elements = [author.within(part, "panel.") for part in "xyz"[: author.chance.randint(1, 3)]]
    if author.maybe(0.15):
        elements = [{"type": "panel", "name": "inner", "elements": elements}]
        author.when(elements[0], "visibleIf", 1, "panel.")
    element: Json = {"templateElements": elements}
    if author.maybe(0.2):
        element["panelCount"] = author.chance.randint(1, 2)
    if author.maybe(0.1):
        element["keyName"] = "x"
    author.when(element, "templateVisibleIf", 0.3, "panel.")
    return element


_SIMPLE: Final[Mapping[str, tuple[float, Maker]]] = {
    "text": (4, text),
    "comment": (1, comment),
    "dropdown": (1.5, select),
    "radiogroup": (1.5, radiogroup),
    "checkbox": (1.5, checkbox),
    "tagbox": (1, many),
    "boolean": (1, boolean),
    "rating": (0.7, rating),
    "slider": (0.5, slider),
    "expression": (1, expression),
}
CELLS: Final = _SIMPLE
"""By type: how often it comes, and what is said of it."""
PARTS: Final[Mapping[str, tuple[float, Maker]]] = {
    **_SIMPLE,
    "ranking": (0.3, ranking),
    "imagepicker": (0.3, imagepicker),
    "multipletext": (0.4, multipletext),
    "matrix": (0.3, matrix),
    "html": (0.2, html),
}
TYPES: Final[Mapping[str, tuple[float, Maker]]] = {
    **_SIMPLE,
    "ranking": (0.5, ranking),
    "buttongroup": (0.4, plain),
    "imagepicker": (0.4, imagepicker),
    "imagemap": (0.3, imagemap),
    "matrix": (1, matrix),
    "matrixdropdown": (1.2, matrixdropdown),
    "matrixdynamic": (1.5, matrixdynamic),
    "multipletext": (0.7, multipletext),
    "paneldynamic": (1.8, paneldynamic),
    "file": (0.3, file),
    "signaturepad": (0.2, nothing),
    "html": (0.2, html),
    "image": (0.1, nothing),
}
