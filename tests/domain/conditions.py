"""Forms with conditions and computed values, and answers to them, thrown together at random."""

from __future__ import annotations

import random
from typing import Any, Final

Json = dict[str, Any]
CHOICES: Final = ["a", "b", "c", 1, 2]


class Author:
    """Writes one form. The names of its questions are known before the questions are."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.count = self.chance.randint(3, 9)
        self.all = [f"q{number}" for number in range(self.count)]
        self.names = [*self.all, "v0"]
        """What may be referred to. Values are computed from what stands before them: none runs in circles."""

    def form(self) -> Json:
        pages: list[Json] = [{"name": "page1", "elements": []}]
        panels = 0
        for name in self.all:
            element = self.question(name)
            if self.chance.random() < 0.25:
                panels += 1
                element = self.conditional({"type": "panel", "name": f"p{panels}", "elements": [element]})
            elements = pages[-1]["elements"]
            last = elements[-1] if elements else None
            if last is not None and last["type"] == "panel" and self.chance.random() < 0.4:
                last["elements"].append(element)
            else:
                elements.append(element)
            if self.chance.random() < 0.15:
                pages.append({"name": f"page{len(pages) + 1}", "elements": [self.text("x" + name)]})
                if self.chance.random() < 0.4:
                    pages[-1]["visibleIf"] = self.condition()
        form: Json = {"pages": pages}
        if self.chance.random() < 0.3:
            form["calculatedValues"] = [
                {
                    "name": f"v{number}",
                    "expression": self.sum().replace("{v0}", "{q0}"),
                    "includeIntoResult": self.chance.random() < 0.7,
                }
                for number in range(self.chance.randint(1, 2))
            ]
        if self.chance.random() < 0.3:
            form["clearInvisibleValues"] = self.chance.choice(["none", "onComplete"])
        return form

    def conditional(self, element: Json, prefix: str = "") -> Json:
        for name, share in (("visibleIf", 0.45), ("enableIf", 0.15), ("requiredIf", 0.2)):
            if self.chance.random() < share:
                element[name] = self.condition(prefix)
        if self.chance.random() < 0.2:
            element["isRequired"] = True
        if self.chance.random() < 0.05:
            element["visible"] = False
        if element.get("type") in ("expression", "panel"):
            element.pop("enableIf", None)  # whether it was ever computed depends on what was answered first
        return element

    def term(self, prefix: str = "") -> str:
        name = self.chance.choice(self.names)
        if prefix and self.chance.random() < 0.6:
            name = prefix + self.chance.choice("xyz")
        return "{" + name + "}"

    def condition(self, prefix: str = "") -> str:
        term, kind = self.term(prefix), self.chance.random()
        if kind < 0.3:
            sign = self.chance.choice(["=", "<>", "contains", "anyof"])
            return f"{term} {sign} {self.chance.choice(['1', 'a', '[1, b]'])}"
        if kind < 0.5:
            return f"{term} {self.chance.choice(['>', '<=', '>=', '<'])} {self.chance.choice('120')}"
        if kind < 0.65:
            return f"{term} {self.chance.choice(['empty', 'notempty'])}"
        if kind < 0.75:
            return f"{term} {self.chance.choice(['=', '!=', '>'])} {self.term(prefix)}"
        if kind < 0.8:
            return self.chance.choice(["true", f"!{term}", term, f"age({term}) > 3", f"{term} = [b, a]"])
        return f"{self.condition(prefix)} {self.chance.choice(['and', 'or'])} {self.condition(prefix)}"

    def before(self, name: str, prefix: str = "") -> str:
        """An expression of what stands before the question."""
        every, self.names = self.names, [*self.all[: self.all.index(name)], "none"]
        made = self.sum(prefix)
        self.names = every
        return made

    def sum(self, prefix: str = "") -> str:
        left, right = self.term(prefix), self.term(prefix)
        return self.chance.choice(
            [f"{left} + {right}", f"iif({self.condition(prefix)}, {left}, 'none')", f"{left} * 2", "today()",
             f"count({left}, {right})", f"sum({left}, 1)", f"sumInArray({left}, 'x')", f"{left} > 1",
             f"sumInArray({left}, 'y', {{x}} > 1)", f"round({left} / 3, 2)"]
        )  # fmt: skip

    def text(self, name: str, prefix: str = "") -> Json:
        element: Json = {"type": "text", "name": name}
        if self.chance.random() < 0.4:
            element["inputType"] = "number"
        if self.chance.random() < 0.2:
            expression = self.condition(prefix)
            element["validators"] = [{"type": "expression", "expression": expression, "text": f"not {name}"}]
        return self.conditional(element, prefix)

    def question(self, name: str) -> Json:
        kind = self.chance.random()
        if kind < 0.4:
            return self.text(name)
        if kind < 0.55:
            many = self.chance.random() < 0.5
            return self.conditional(
                {"type": "checkbox" if many else "radiogroup", "name": name, "choices": CHOICES}
            )
        if kind < 0.62:
            return self.conditional({"type": "boolean", "name": name})
        if kind < 0.75:
            return self.conditional({"type": "expression", "name": name, "expression": self.before(name)})
        if kind < 0.87:
            return self.panels(name)
        return self.matrix(name)

    def panels(self, name: str) -> Json:
        elements = [self.text(part, "panel.") for part in "xyz"[: self.chance.randint(1, 3)]]
        if self.chance.random() < 0.4:
            expression = self.before(name)
            elements[-1] = self.conditional(
                {"type": "expression", "name": "z", "expression": expression}, "panel."
            )
        found: Json = {"type": "paneldynamic", "name": name, "templateElements": elements}
        if self.chance.random() < 0.2:
            found["templateVisibleIf"] = self.condition("panel.")
        return self.conditional(found)

    def matrix(self, name: str) -> Json:
        columns: list[Json] = []
        dynamic = self.chance.random() < 0.6
        for part in "xyz"[: self.chance.randint(1, 3)]:
            column = {**self.text(part, "row."), "cellType": "text"}
            del column["type"]
            if self.chance.random() < 0.25 and dynamic:
                column = {"name": part, "cellType": "expression", "expression": self.before(name)}
            if self.chance.random() < 0.2:
                column["totalType"] = self.chance.choice(["sum", "max", "count", "avg"])
            columns.append(column)
        found: Json = {"type": "matrixdynamic", "name": name, "columns": columns, "rowCount": 0}
        if not dynamic:
            found = {"type": "matrixdropdown", "name": name, "columns": columns, "rows": ["r1", "r2"]}
        if self.chance.random() < 0.2:
            found["rowsVisibleIf"] = self.condition("row.")
        return self.conditional(found)

    def answers(self, form: Json) -> Json:
        data: Json = {}
        for page in form["pages"]:
            self.answer_all(page["elements"], data)
        return data

    def answer_all(self, elements: list[Json], data: Json) -> None:
        for element in elements:
            if element.get("type") == "panel":
                self.answer_all(element["elements"], data)
            elif self.chance.random() < 0.7:
                answer = self.answer(element)
                if answer is not None:
                    data[element["name"]] = answer

    def answer(self, element: Json) -> Any:
        kind = element.get("type") or element["cellType"]
        if kind == "text":
            number = element.get("inputType") == "number"
            return self.chance.choice([0, 1, 2, 5, 2.5] if number else ["a", "b", "1", "x y", "5"])
        if kind == "radiogroup":
            return self.chance.choice(CHOICES)
        if kind == "checkbox":
            return self.chance.sample(CHOICES, self.chance.randint(1, 3))
        if kind == "boolean":
            return self.chance.random() < 0.5
        if kind == "paneldynamic":
            return [self.part(element["templateElements"]) for _ in range(self.chance.randint(1, 3))]
        if kind == "matrixdynamic":
            return [self.part(element["columns"]) for _ in range(self.chance.randint(1, 3))]
        if kind == "matrixdropdown":
            return {
                row: self.part(element["columns"]) for row in ("r1", "r2") if self.chance.random() < 0.8
            } or None
        return None

    def part(self, elements: list[Json]) -> Json:
        data: Json = {}
        self.answer_all(elements, data)
        return data


def settled(value: Any) -> Any:
    """Data without what is empty, so that two ways to say nothing are one; numbers as doubles."""
    if isinstance(value, dict):
        found = {name: settled(item) for name, item in value.items()}
        return {name: item for name, item in found.items() if item not in (None, "", [], {})}
    if isinstance(value, list):
        return [settled(item) for item in value]
    return float(value) if type(value) in (int, float) else value
