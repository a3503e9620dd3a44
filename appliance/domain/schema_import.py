"""From a JSON Schema of one response to a SurveyJS definition with the questions that it describes.

A form may also *be* a JSON Schema (`schema_form`); here one is read to ask for its properties. What has no
counterpart is reported at its JSON Pointer in the schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from appliance.domain import schema_lists, schema_questions
from appliance.domain.bounds import check_bounds
from appliance.domain.faults import Faults, token
from appliance.domain.imported import Imported, Report, hold_to_check
from appliance.domain.schema_form import SCHEMA_DEPTH
from appliance.domain.schema_questions import ANNOTATIONS, Question
from appliance.domain.schema_references import Part, References
from appliance.errors import FieldError, Invalid

DETAIL: Final = "The JSON Schema cannot be imported"
MAX_PARTS: Final = 2_000
"""Properties, each counted wherever a reference leads to it."""
MAX_NESTING: Final = 8
"""Of objects and arrays within each other."""

Json = dict[str, Any]
_OBJECT: Final = frozenset(
    {"type", "title", "description", "properties", "required", "additionalProperties", "dependentRequired"}
)


def convert(schema: object) -> Imported:
    """Raises Invalid for what is no schema of an object, or of which no question is left."""
    faults = Faults()
    if not isinstance(schema, dict):
        raise Invalid(DETAIL, errors=[FieldError("", "a JSON Schema of an object is needed")])
    check_bounds(schema, "", faults, depth=SCHEMA_DEPTH)
    faults.raise_any(DETAIL)
    report = Report()
    walk = Walk(References(schema, report), report)
    root = walk.references.resolved(schema, "", ())
    if root is None or not isinstance(root.schema.get("properties"), dict):
        raise Invalid(DETAIL, errors=[FieldError("/properties", "a schema with properties is needed")])
    elements = walk.properties(root, Around())
    definition: Json = {name: root.schema[name] for name in ("title", "description") if _is_text(root, name)}
    definition["elements"] = elements
    if not elements:
        raise Invalid(DETAIL, errors=[FieldError("/properties", "none of these can be asked for")])
    title = str(definition.get("title", ""))
    return Imported(title, hold_to_check(definition, report), report.all())


def _is_text(part: Part, name: str) -> bool:
    return isinstance(part.schema.get(name), str)


@dataclass(frozen=True, slots=True)
class Around:
    """Where a question stands: what comes before its name, in the data and in expressions."""

    name: str = ""
    prefix: str = ""
    depth: int = 0


@dataclass(slots=True)
class Walk:
    references: References
    report: Report
    count: int = 0
    taken: set[str] = field(default_factory=set)
    """Names in lower case, of the form or of the dynamic panel that is walked."""

    def properties(self, part: Part, around: Around) -> list[Json]:
        """The questions for an object's properties."""
        required = part.schema.get("required")
        needed = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
        found: list[Json] = []
        for name, schema in part.schema["properties"].items():
            found += self._property(part, name, schema, name in needed, around)
        self._dependent(part, found, around)
        for word in part.schema:
            silent = word in _OBJECT or word in ANNOTATIONS
            if not silent or (word == "additionalProperties" and part.schema[word] is not False):
                self.report.warn(part.path + token(word), f"`{word}` is not carried over")
        return found

    def _property(
        self, parent: Part, name: str, schema: object, required: bool, around: Around
    ) -> list[Json]:
        path = f"{parent.path}/properties{token(name)}"
        self.count += 1
        if self.count > MAX_PARTS:
            if self.count == MAX_PARTS + 1:
                self.report.warn(path, f"more than {MAX_PARTS} properties: this and all further are left out")
            return []
        part = self.references.resolved(schema, path, parent.trail)
        if part is None:
            return []
        question = Question(self._own_name(name, around), around.prefix, required, part.path, self.report)
        kind = schema_questions.kind_of(part.schema, question)
        if kind == "object":
            return self._object(part, name, question, around)
        if kind == "array":
            return self._array(part, question, around)
        made = schema_lists.scalar(kind, part.schema, question)
        return [] if made is None else [self._told(made, name, part)]

    def _own_name(self, name: str, around: Around) -> str:
        """Without what survey-core takes for something else, and not taken: it ignores case."""
        wanted = (around.name + name).translate(str.maketrans("{}\0", "___")).lstrip("$#") or "property"
        found, number = wanted, 2
        while found.lower() in self.taken:
            found, number = f"{wanted}_{number}", number + 1
        self.taken.add(found.lower())
        return found

    def _told(self, made: Json, name: str, part: Part) -> Json:
        if made["name"] != name and "title" not in made:
            made["title"] = name
        return self.report.made(made, part.path)

    def _too_deep(self, part: Part, around: Around) -> bool:
        if around.depth < MAX_NESTING:
            return False
        self.report.warn(part.path, f"left out: more than {MAX_NESTING} objects and arrays within each other")
        return True

    def _object(self, part: Part, name: str, question: Question, around: Around) -> list[Json]:
        """A panel: its answers stand beside the others, under names of their own."""
        if not isinstance(part.schema.get("properties"), dict):
            self.report.warn(part.path, "an object without properties is left out")
            return []
        if self._too_deep(part, around):
            return []
        inner = Around(f"{question.name}_", around.prefix, around.depth + 1)
        found = self.properties(part, inner)
        if not found:
            return []
        self.report.warn(part.path, f"answers within {name!r} stand beside the others, as {inner.name}…")
        if not question.required:
            _require_together(found, around.prefix)
        made: Json = {"type": "panel", "name": question.name, **schema_questions.texts(part.schema)}
        made.setdefault("title", name)
        return [self.report.made({**made, "elements": found}, part.path)]

    def _array(self, part: Part, question: Question, around: Around) -> list[Json]:
        items = self.references.resolved(
            part.schema.get("items", {"type": "string"}), part.path + "/items", part.trail
        )
        if items is None:
            return []
        inner = Question(question.name, question.prefix, question.required, items.path, self.report)
        kind = schema_questions.kind_of(items.schema, inner)
        if kind == "array":
            self.report.warn(items.path, "an array within an array is left out")
            return []
        if kind != "object":
            made = schema_lists.several(kind, part.schema, items.schema, question, inner)
            return [] if made is None else [self._told(made, question.name, part)]
        if self._too_deep(part, around) or not isinstance(items.schema.get("properties"), dict):
            self.report.warn(items.path, "an array of objects without properties is left out")
            return []
        within, taken = Around("", "panel.", around.depth + 1), self.taken
        self.taken = set()
        elements = self.properties(items, within)
        self.taken = taken
        if not elements:
            return []
        return [self._told(schema_lists.repeated(part.schema, question, elements), question.name, part)]

    def _dependent(self, part: Part, found: list[Json], around: Around) -> None:
        rows = part.schema.get("dependentRequired")
        if not isinstance(rows, dict):
            return
        named = {one["name"]: one for one in found}
        for name, others in rows.items():
            for other in others if isinstance(others, list) else ():
                made = named.get(around.name + str(other))
                if made is None or around.name + name not in named or "requiredIf" in made:
                    at = f"{part.path}/dependentRequired{token(name)}"
                    self.report.warn(at, f"that {other!r} is then required is not carried over")
                elif not made.get("isRequired"):
                    made["requiredIf"] = f"{{{around.prefix}{around.name}{name}}} notempty"


def _leaves(elements: list[Json]) -> list[Json]:
    return [
        leaf for one in elements for leaf in (_leaves(one["elements"]) if one["type"] == "panel" else [one])
    ]


def _require_together(elements: list[Json], prefix: str) -> None:
    """What an object that may be missing requires is required once something else of it was answered."""
    leaves = _leaves(elements)
    for one in leaves:
        if one.pop("isRequired", False):
            others = [f"{{{prefix}{other['name']}}} notempty" for other in leaves if other is not one]
            if others:
                one["requiredIf"] = " or ".join(others)
