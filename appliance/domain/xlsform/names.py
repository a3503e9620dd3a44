"""The names of an XLSForm: what `${name}` stands for, seen from where an expression is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from appliance.domain.xlsform.sheets import Row

AnswerKind = Literal["text", "choice", "number", "date", "list", "any", "file"]
Kind = AnswerKind | Literal["repeat", "nothing"]
"""What an answer is: `choice` one name of a list, `list` several of them, `any` whatever is computed."""


class Unsupported(Exception):
    """What an XLSForm says and SurveyJS has no word for. The message completes “… is not carried over: ”."""


@dataclass(slots=True)
class Field:
    """`name` is the one in the definition; `repeats` the names of the repeats around, from the outside."""

    source: str
    name: str
    kind: Kind
    repeats: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """The names of its choices."""
    lost: str = ""
    """Why it was not carried over, if it was not."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where an expression stands. `field` is what `.` means, `choice` the choice that is filtered."""

    repeats: tuple[str, ...] = ()
    field: Field | None = None
    choice: Row | None = None


@dataclass(slots=True)
class Names:
    fields: dict[str, Field] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    """Names of the definition in lower case: survey-core ignores case."""

    def add(self, one: Field) -> None:
        """Under a name of its own; the first of a name keeps it."""
        wanted, count = one.name, 2
        while one.name.lower() in self.taken:
            one.name = f"{wanted}_{count}"
            count += 1
        self.taken.add(one.name.lower())
        self.fields.setdefault(one.source, one)

    def get(self, name: str) -> Field:
        """Raises Unsupported for what is not there, or was not carried over."""
        if name.startswith("last-saved#"):
            raise Unsupported("the last saved answers of a device are not known here")
        found = self.fields.get(name)
        if found is None:
            raise Unsupported(f"there is no question ${{{name[:100]}}}")
        if found.lost:
            raise Unsupported(f"${{{name}}} {found.lost}")
        if found.kind == "nothing":
            raise Unsupported(f"${{{name}}} holds no answer")
        return found


def spelled(one: Field, here: Here) -> str:
    """Its name as expressions and texts at `here` write it, without braces. Raises Unsupported."""
    depth = len(one.repeats)
    if depth > len(here.repeats) or one.repeats != here.repeats[:depth]:
        raise Unsupported(f"${{{one.source}}} has an answer in each repetition, and here none is meant")
    if depth == 0:
        return one.name
    steps = len(here.repeats) - depth
    if steps > 1:
        raise Unsupported(f"${{{one.source}}} is more than one repeat away")
    return f"{_PREFIXES[steps]}.{one.name}"


_PREFIXES: Final = ("panel", "parentPanel")
