"""The rows of the survey sheet: what is in which group or repeat, and what each is called."""

from __future__ import annotations

from typing import Final

from appliance.domain.xlsform import question_types
from appliance.domain.xlsform.form import DETAIL, Form, Item
from appliance.domain.xlsform.names import Field, Kind
from appliance.domain.xlsform.question_types import SIMPLE, Type, read_type
from appliance.domain.xlsform.sheets import Row
from appliance.errors import FieldError, Invalid

MAX_NESTING: Final = 15
"""Of groups and repeats; the definition that comes of it may have 20 levels."""


def tree(form: Form) -> list[Item]:
    """The rows of the survey sheet, nested. Raises Invalid where a group is not closed, or too deep."""
    top: list[Item] = []
    opened: list[Item] = []
    for row in form.book.rows("survey"):
        if not row.cells.get("type"):
            _note_typeless(form, row)
            continue
        if row.cells.get("disabled", "").lower() in ("yes", "true", "true()"):
            continue
        item = Item(row, read_type(row.cells["type"]), parent=opened[-1] if opened else None)
        if item.type.what == "end":
            _close(opened, item)
            continue
        (opened[-1].children if opened else top).append(item)
        if item.type.what == "begin":
            opened.append(item)
            if len(opened) > MAX_NESTING:
                raise _misplaced(row, f"groups within groups: at most {MAX_NESTING}")
    if opened:
        raise _misplaced(opened[-1].row, f"this {opened[-1].type.name} has no end")
    return top


def _note_typeless(form: Form, row: Row) -> None:
    if row.cells:
        form.report.warn(row.at("type"), "a row without a type is left out")


def _close(opened: list[Item], end: Item) -> None:
    if not opened:
        raise _misplaced(end.row, f"no {end.type.name} begins before this end")
    begun = opened.pop()
    if begun.type.name != end.type.name:
        raise _misplaced(end.row, f"the {begun.type.name} of row {begun.row.number} has to end first")


def _misplaced(row: Row, message: str) -> Invalid:
    return Invalid(DETAIL, errors=[FieldError(row.at("type"), message)])


def register(form: Form, items: list[Item], repeats: tuple[str, ...] = ()) -> None:
    """Gives each row its name, and says what its answer is."""
    for item in items:
        item.answer = _field(form, item, repeats)
        within = (*repeats, item.answer.name) if item.type.name == "repeat" else repeats
        register(form, item.children, within)


def _field(form: Form, item: Item, repeats: tuple[str, ...]) -> Field:
    kind: Kind = "nothing"
    values: tuple[str, ...] = ()
    lost = ""
    type_ = item.type
    match type_.what:
        case "begin":
            kind = "repeat" if type_.name == "repeat" else "nothing"
        case "simple":
            kind = SIMPLE[type_.name].kind
        case "one" | "from file":
            kind, values = "choice", _values(form, type_)
        case "multiple" | "rank":
            kind, values = "list", _values(form, type_)
        case "left out":
            lost = f"was left out: {question_types.LEFT_OUT[type_.name]}"
        case _:
            lost = "was left out"
    name = _name(form, item)
    found = Field(name, _usable(name), kind, repeats, values, lost)
    if lost:
        form.names.fields.setdefault(name, found)
        return found
    form.names.add(found)
    if found.name != name:
        form.report.warn(item.row.at("name"), f"{name!r} is called {found.name!r} here: the name is taken")
    return found


def _values(form: Form, type_: Type) -> tuple[str, ...]:
    return tuple(row.cells.get("name", "") for row in form.lists.get(type_.name, ()))


def _name(form: Form, item: Item) -> str:
    name = item.cell("name")
    if name:
        return name
    unanswered = item.type.what == "begin" or item.type.name == "note"
    made = f"{'row' if unanswered else 'question'}_{item.row.number}"
    if not unanswered and item.type.what not in ("left out", "unknown"):
        form.report.warn(item.row.at("name"), f"a question without a name is called {made!r}")
    return made


def _usable(name: str) -> str:
    """Without what survey-core takes for something else."""
    return name.translate(str.maketrans("{}\0", "___")).lstrip("$#") or "question"
