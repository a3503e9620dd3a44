"""Answers to a generated form: of the right types, and more often right than wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

Json = dict[str, Any]

_INPUTS: Final[Mapping[str, list[Any]]] = {
    "number": [0, 1, 2, 5, 2.5, -1, 10],
    "range": [0, 5, 50, 100],
    "date": ["2024-12-31", "2025-01-01", "2025-03-09", "2026-01-01"],
    "datetime-local": ["2024-12-31T23:59", "2025-01-01T10:30", "2025-07-01T12:00"],
    "month": ["2024-12", "2025-03", "2025-07"],
    "week": ["2024-W50", "2025-W10", "2025-W30"],
    "time": ["07:59", "08:00", "12:30", "18:00"],
    "email": ["a@b.cc", "a@b.cc", "nobody"],
    "color": ["#ff0000"],
    "url": ["https://x.org"],
}
_WORDS: Final = ["a", "b", "1", "x y", "5", "abc", "B", "0", "a@b.cc", " "]


def answers(chance: random.Random, form: Json) -> Json:
    share = chance.choice([0.5, 0.8, 0.95])
    elements = [element for page in form["pages"] for element in page["elements"]]
    data = _all(chance, elements, share)
    _carry(chance, elements, data)
    if form.get("storeOthersAsComment") is False:
        _put_in_place(elements, data)
    return data


def _put_in_place(elements: list[Json], data: Json) -> None:
    """The text of `other` instead of it; the page has no comment beside it then."""
    for one in _flat(elements):
        found = data.get(one["name"])
        for row in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
            if isinstance(row, dict):
                below = one.get("templateElements") or [
                    *one.get("columns", ()),
                    *one.get("detailElements", ()),
                ]
                _put_in_place(below, row)
        if not one.get("showOtherItem") or one.get("showCommentArea"):
            continue
        text = data.pop(one["name"] + "-Comment", None)
        if text and isinstance(found, list):
            data[one["name"]] = [text if item == "other" else item for item in found]
        elif text:
            data[one["name"]] = text


def _carry(chance: random.Random, elements: list[Json], data: Json) -> None:
    """Answers from what another question gives, once that is known."""
    by_name = {one["name"]: one for one in _flat(elements)}
    for one in by_name.values():
        giver = by_name.get(one.get("choicesFromQuestion", ""))
        if giver is None or one["name"] not in data:
            continue
        given = _given(one, giver, data.get(giver["name"]))
        del data[one["name"]]
        if given:
            many = one["type"] in ("checkbox", "tagbox")
            data[one["name"]] = chance.sample(given, min(len(given), 2)) if many else chance.choice(given)


def _given(one: Json, giver: Json, taken: Any) -> list[Any]:
    if giver["type"] in ("paneldynamic", "matrixdynamic"):
        found = [item["x"] for item in taken or () if isinstance(item.get("x"), str | int)]
        return list(dict.fromkeys(found))
    bare = [
        item.get("w") if isinstance(item, dict) else item
        for item in (taken if isinstance(taken, list) else [taken])
    ]
    mode, every = one.get("choicesFromQuestionMode"), values({"choices": giver.get("choices", [])})
    return [value for value in every if mode == "all" or (value in bare) is (mode == "selected")]


def _flat(elements: list[Json]) -> list[Json]:
    return [
        one
        for element in elements
        for one in (_flat(element["elements"]) if element.get("type") == "panel" else [element])
    ]


def _all(chance: random.Random, elements: list[Json], share: float) -> Json:
    data: Json = {}
    for element in elements:
        if element.get("type") == "panel":
            data |= _all(chance, element["elements"], share)
        elif chance.random() < share:
            found = answer(chance, element, share)
            if found is None:
                continue
            data[element["name"]] = found
            data |= _all(chance, _opened(element, found), share)
            if _wants_comment(element, found) and chance.random() < 0.8:
                data[element["name"] + "-Comment"] = "why"
    return data


def _opened(element: Json, found: Any) -> list[Json]:
    """The questions in the choices that were taken."""
    taken = found if isinstance(found, list) else [found]
    choices = [one for one in element.get("choices", ()) if isinstance(one, dict) and "elements" in one]
    return [one for choice in choices if choice["value"] in taken for one in choice["elements"]]


def _wants_comment(element: Json, found: Any) -> bool:
    if element.get("showCommentArea"):
        return True
    return bool(element.get("showOtherItem")) and "other" in (found if isinstance(found, list) else [found])


def answer(chance: random.Random, element: Json, share: float) -> Any:
    kind = element.get("type") or element["cellType"]
    if kind in _NESTED:
        return _NESTED[kind](chance, element, share)
    made = _SIMPLE.get(kind)
    return made(chance, element) if made else None


def _text(chance: random.Random, element: Json) -> Any:
    found = chance.choice(_INPUTS.get(element.get("inputType", "text"), _WORDS))
    return found[: element["maxLength"]] if "maxLength" in element and isinstance(found, str) else found


def values(element: Json) -> list[Any]:
    given = element.get("choices") or element.get("areas") or element.get("rateValues") or []
    found = [one["value"] if isinstance(one, dict) else one for one in given]
    for flag, value in (("showNoneItem", "none"), ("showOtherItem", "other"), ("showRefuseItem", "refused")):
        if element.get(flag):
            found.append(value)
    return found


def _one(chance: random.Random, element: Json) -> Any:
    return chance.choice(values(element) or [None])


def _many(chance: random.Random, element: Json) -> Any:
    every = values(element)
    most = min(len(every), element.get("maxSelectedChoices") or 4)
    found = chance.sample(every, chance.randint(min(1, most), most))
    found = next(([one] for one in found if one in ("none", "refused")), found)
    wrapped = element.get("valuePropertyName")
    if not found:
        return None
    return [{wrapped: one} for one in found] if wrapped else found


def _ranking(chance: random.Random, element: Json) -> Any:
    every = values(element)
    return chance.sample(
        every, len(every) if not element.get("selectToRankEnabled") else chance.randint(1, 2)
    )


def _imagepicker(chance: random.Random, element: Json) -> Any:
    return _many(chance, element) if element.get("multiSelect") else _one(chance, element)


def _boolean(chance: random.Random, element: Json) -> Any:
    return chance.choice(["yes", "no"] if "valueTrue" in element else [True, False])


def _rating(chance: random.Random, element: Json) -> Any:
    return chance.choice(values(element) or list(range(element.get("rateMin", 1), 5)))


def _slider(chance: random.Random, element: Json) -> Any:
    first, second = sorted(chance.sample(range(101), 2))
    return [first, second] if element.get("sliderType") == "range" else first


def _file(chance: random.Random, element: Json) -> Any:
    return [{"name": "a.txt", "type": "text/plain", "content": "data:text/plain;base64,YQ=="}]


def _matrix(chance: random.Random, element: Json, share: float) -> Any:
    many = element.get("cellType") == "checkbox"
    columns = ["c1", "c2", 3]
    found = {
        row: chance.sample(columns, 2) if many else chance.choice(columns)
        for row in ("r1", "r2", "r3")
        if chance.random() < share
    }
    return found or None


def _rows(chance: random.Random, element: Json, share: float) -> Any:
    if element["type"] == "matrixdynamic":
        return [_row(chance, element, share) for _ in range(chance.randint(1, 3))]
    return {row: _row(chance, element, share) for row in ("r1", "r2") if chance.random() < 0.8} or None


def _row(chance: random.Random, element: Json, share: float) -> Json:
    """No white space: survey-core makes no cells of it, but its conditions see it."""
    made = _all(chance, [*element["columns"], *element.get("detailElements", ())], share)
    return {name: value for name, value in made.items() if value != " "}


def _items(chance: random.Random, element: Json, share: float) -> Any:
    found = {item["name"]: _text(chance, item) for item in element["items"] if chance.random() < share}
    return found or None


def _panels(chance: random.Random, element: Json, share: float) -> Any:
    return [_all(chance, element["templateElements"], share) for _ in range(chance.randint(1, 3))]


_SIMPLE: Final[Mapping[str, Callable[[random.Random, Json], Any]]] = {
    "text": _text,
    "comment": lambda chance, element: chance.choice(_WORDS),
    "boolean": _boolean,
    "rating": _rating,
    "slider": _slider,
    "ranking": _ranking,
    "imagepicker": _imagepicker,
    "imagemap": _many,
    "file": _file,
    "signaturepad": lambda chance, element: "data:image/png;base64,AAAA",
    **dict.fromkeys(("checkbox", "tagbox"), _many),
    **dict.fromkeys(("dropdown", "radiogroup", "buttongroup"), _one),
}
_NESTED: Final[Mapping[str, Callable[[random.Random, Json, float], Any]]] = {
    "matrix": _matrix,
    "matrixdropdown": _rows,
    "matrixdynamic": _rows,
    "multipletext": _items,
    "paneldynamic": _panels,
}
