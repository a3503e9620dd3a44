"""Writes forms over every type and feature that is evaluated, thrown together at random, each from a seed."""

from __future__ import annotations

from typing import Any, Final

from tests.agreement.elements import CELLS, PARTS, TYPES, defaults
from tests.domain.conditions import Author as Conditions

Json = dict[str, Any]
UNASKED: Final = ("expression", "matrix", "matrixdropdown", "matrixdynamic", "paneldynamic", "file")
"""Types that get no expression validator."""


class Author(Conditions):
    """The names of its questions are known before the questions are, so conditions may name any of them."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.likes: float = self.chance.choice([0.05, 0.15, 0.35])
        """How fond this form is of conditions."""
        self.writing = self.part_name = ""
        """The names of what is being written, which no condition of its own may ask."""
        self.earlier: list[Json] = []
        """What was written so far, for choices that come from another question."""

    def form(self) -> Json:
        pages: list[Json] = [self.page(1)]
        for name in self.all:
            self.writing = name
            element = self.question(name)
            self.earlier.append(element)
            if self.maybe(0.15):
                element = self.panel(name, element)
            last = pages[-1]["elements"][-1:]
            if last and last[0]["type"] == "panel" and self.maybe(0.4):
                last[0]["elements"].append(element)
            else:
                pages[-1]["elements"].append(element)
            if self.maybe(0.15):
                pages.append(self.page(len(pages) + 1))
        form: Json = {"pages": [page for page in pages if page["elements"]]}
        form |= self.settings()
        return form

    def page(self, number: int) -> Json:
        page: Json = {"name": f"page{number}", "elements": []}
        if number > 1:
            self.when(page, "visibleIf", 0.5)
        if self.maybe(0.05):
            page["isRequired"] = True
        return page

    def panel(self, name: str, element: Json) -> Json:
        panel: Json = {"type": "panel", "name": f"p{name}", "elements": [element]}
        self.when(panel, "visibleIf", 1)
        self.when(panel, "requiredIf", 0.3)
        if self.maybe(0.15):
            panel["isRequired"] = True
        return panel

    def settings(self) -> Json:
        found: Json = {}
        if self.maybe(0.25):
            found["calculatedValues"] = [
                {
                    "name": f"v{number}",
                    "expression": self.sum().replace("{v0}", "{q0}"),
                    "includeIntoResult": self.maybe(0.7),
                }
                for number in range(self.chance.randint(1, 2))
            ]
        if self.maybe(0.3):
            found["clearInvisibleValues"] = self.chance.choice(["none", "onComplete"])
        if self.maybe(0.05):
            found["storeOthersAsComment"] = False
        if self.maybe(self.likes * 0.4):
            found["triggers"] = [self.trigger() for _ in range(self.chance.randint(1, 2))]
        return found

    def trigger(self) -> Json:
        kinds = ["visible", "visible", "setvalue", "copyvalue", "runexpression"]
        plain = [
            one["name"]
            for one in self.earlier
            if one["type"] in ("text", "comment") and "inputType" not in one
        ]
        self.writing = target = self.chance.choice(plain or self.all)
        made: Json = {
            "type": self.chance.choice(kinds) if plain else "visible",
            "expression": self.condition(),
        }
        if made["type"] == "visible":
            # With a visibleIf of its own, what ran last would count.
            shown = self.chance.choice(self.earlier)
            shown.pop("visibleIf", None)
            return {**made, "questions": [shown["name"]]}
        if made["type"] == "setvalue":
            return {**made, "setToName": target, "setValue": "a"}
        if made["type"] == "copyvalue":
            return {**made, "setToName": target, "fromName": self.chance.choice(self.all)}
        return {**made, "setToName": target, "runExpression": self.chance.choice(["2 * 2", self.term()])}

    def condition(self, prefix: str = "") -> str:
        """Of the others: what asks itself depends on what survey-core did first."""
        every, self.names = self.names, [name for name in self.names if name != self.writing]
        while "age(" in (made := super().condition(prefix)):
            pass  # V8 makes dates of any text
        self.names = every
        return made

    def term(self, prefix: str = "") -> str:
        while (made := super().term(prefix)) == "{" + prefix + self.part_name + "}":
            pass
        return made

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def when(self, element: Json, name: str, share: float, prefix: str = "") -> None:
        """A condition, `share` of the times that this form likes one."""
        if self.maybe(self.likes * share):
            element[name] = self.condition(prefix)

    def question(self, name: str) -> Json:
        kind = self.chance.choices([*TYPES], [row[0] for row in TYPES.values()])[0]
        element = {"type": kind, "name": name, **TYPES[kind][1](self, name)}
        return self.rules(defaults(self, element))

    def setting(self, element: Json) -> None:
        self.when(element, "resetValueIf", 0.15)
        self.when(element, "setValueIf", 0.15)
        if self.maybe(self.likes * 0.2):
            element["setValueExpression"] = self.chance.choice(["'set'", "1 + 1", self.term()])

    def within(self, name: str, prefix: str) -> Json:
        """A question of a dynamic panel, a detail panel or a choice."""
        self.part_name = name
        kind = self.chance.choices([*PARTS], [row[0] for row in PARTS.values()])[0]
        element = {"type": kind, "name": name, **PARTS[kind][1](self, name)}
        return self.rules(element, prefix)

    def column(self, name: str) -> Json:
        self.part_name = name
        kind = self.chance.choices([*CELLS], [row[0] for row in CELLS.values()])[0]
        column = {"name": name, "cellType": kind, **CELLS[kind][1](self, name)}
        if self.maybe(0.1):
            column["isUnique"] = True
        if self.maybe(0.1) and kind in ("text", "rating", "expression", "boolean"):
            column["totalType"] = self.chance.choice(["sum", "max", "min", "count", "avg"])
        return self.rules(defaults(self, column), "row.")

    def rules(self, element: Json, prefix: str = "") -> Json:
        kind = element.get("type") or element["cellType"]
        self.when(element, "visibleIf", 1, prefix)
        if self.maybe(0.03):
            element["visible"] = False
        if kind in ("html", "image"):
            return element
        if kind != "expression":
            self.demands(element, prefix)
        if kind in ("text", "comment") and element.get("inputType", "text") == "text" and not prefix:
            self.setting(element)
        if self.maybe(0.04) and "type" in element:
            element["clearIfInvisible"] = self.chance.choice(["none", "onComplete"])
        if kind not in UNASKED and self.maybe(0.24 * self.likes):
            one = {"type": "expression", "expression": self.condition(prefix), "text": "not so"}
            element.setdefault("validators", []).append(one)
        return element

    def demands(self, element: Json, prefix: str) -> None:
        self.when(element, "enableIf", 0.3, prefix)
        self.when(element, "requiredIf", 0.5, prefix)
        if self.maybe(0.25):
            element["isRequired"] = True
            if self.maybe(0.3):
                element["requiredErrorText"] = f"{element['name']}!"
        if self.maybe(0.03):
            element["readOnly"] = True
