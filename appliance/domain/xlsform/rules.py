"""What holds for a question: when it shows, whether it must be answered, what its answer must be."""

from __future__ import annotations

import re
from typing import Any, Final

from appliance.domain.imported import NO_MATCH, quoted
from appliance.domain.xlsform import translation, wording
from appliance.domain.xlsform.form import Form, Item, translated
from appliance.domain.xlsform.names import Unsupported
from appliance.domain.xlsform.pieces import as_boolean
from appliance.domain.xlsform.texts import Localised
from appliance.domain.xlsform.xpath import Binary, Call, Number, Place, Text, XPath, conjuncts, parse_xpath

Json = dict[str, Any]
YES: Final = frozenset({"yes", "true", "true()", "1"})
NO: Final = frozenset({"no", "false", "false()", "0", ""})
_DYNAMIC: Final = re.compile(r"\$\{|[\w:-]\(")
_LIMITS: Final = frozenset({"<", "<=", ">", ">=", "="})


def relevance(form: Form, items: list[Item]) -> None:
    """Translates the conditions of all rows first: what is required depends on whether they were kept."""
    for item in items:
        if item.cell("relevant"):
            item.relevant = translated(form, item, "relevant", translation.condition)
            item.unsure = not item.relevant
        relevance(form, item.children)


def shows(item: Item, element: Json) -> None:
    if item.relevant and item.relevant != "true":
        element["visibleIf"] = item.relevant


def required(form: Form, item: Item, element: Json) -> None:
    text = item.cell("required")
    if text.lower() in NO:
        return
    if item.always_shows:
        form.lost(item.row, "required", text, "the condition for the question was not, so it always shows")
        return
    if text.lower() in YES:
        element["isRequired"] = True
    elif condition := translated(form, item, "required", translation.condition):
        element["requiredIf"] = condition
    else:
        return
    if message := form.languages.text(item.row, "required_message"):
        element["requiredErrorText"] = message


def read_only(form: Form, item: Item, element: Json) -> None:
    text = item.cell("read_only")
    if text.lower() in YES:
        element["readOnly"] = True
    elif text.lower() not in NO and (locked := translated(form, item, "read_only", translation.condition)):
        element["enableIf"] = f"!({locked})"


def is_dynamic(text: str) -> bool:
    """Whether a default is an expression, and no constant."""
    return bool(_DYNAMIC.search(text))


def default(form: Form, item: Item, element: Json) -> None:
    text = item.cell("default")
    if not text or item.answer is None:
        return
    if is_dynamic(text):
        if expression := translated(form, item, "default", translation.value):
            element["defaultValueExpression"] = expression
        return
    try:
        element["defaultValue"] = _constant(item.answer.kind, text)
    except (Unsupported, ValueError) as why:
        form.lost(item.row, "default", text, why)


def _constant(kind: str, text: str) -> object:
    match kind:
        case "number":
            value = float(text)
            return int(value) if value.is_integer() else value
        case "list":
            return text.split()
        case "file":
            raise Unsupported("files beside the form are not imported")
    return text


def constraint(form: Form, item: Item, element: Json) -> None:
    """As validators. A constraint is not asked of a question without an answer."""
    text = item.cell("constraint")
    if not text or item.answer is None:
        return
    message = form.languages.text(item.row, "constraint_message")
    kept: list[tuple[str, XPath]] = []
    try:
        parts = conjuncts(parse_xpath(text))
    except ValueError as why:
        form.lost(item.row, "constraint", text, why)
        return
    for part in parts:
        try:
            validator = _validator(item, part)
            if validator is None:
                kept.append((_condition(form, item, part), part))
            else:
                spoken = NO_MATCH if validator["type"] == "regex" else None
                _add(form, item, element, validator, message or spoken)
        except Unsupported as why:
            what = "is not carried over" if len(parts) == 1 else "is carried over in part only"
            form.report.warn(item.row.at("constraint"), f"{quoted(text)!r} {what}: {why}")
    if kept:
        own = f"{{{_own(form, item)}}}"
        held = f"({kept[0][0]})" if len(kept) == 1 else f"({' and '.join(f'({one})' for one, _ in kept)})"
        row: Json = {"type": "expression", "expression": f"{own} empty or {held}"}
        _add(form, item, element, row, message or wording.told(part for _, part in kept))


def _own(form: Form, item: Item) -> str:
    return translation.Translator(form.names, item.here, _unheard).of(Place(".")).name


def _unheard(note: str) -> None:
    pass


def _condition(form: Form, item: Item, part: XPath) -> str:
    notes: list[str] = []
    found = as_boolean(translation.Translator(form.names, item.here, notes.append).of(part)).text
    for note in dict.fromkeys(notes):
        form.report.warn(item.row.at("constraint"), f"in {quoted(item.cell('constraint'))!r}, {note}")
    return found


def _add(form: Form, item: Item, element: Json, validator: Json, message: Localised | None) -> None:
    if message is not None:
        validator["text"] = message
    element.setdefault("validators", []).append(form.report.made(validator, item.row.at("constraint")))


def _validator(item: Item, part: XPath) -> Json | None:
    """For what expressions of survey-core have no word: patterns, and lengths of texts."""
    match part:
        case Call("regex", (Place("."), Text(pattern))):
            return {"type": "regex", "regex": f"^(?:{pattern})$"}
        case Binary(sign, Call("string-length", (Place("."),)), Number(length)) if sign in _LIMITS:
            return _length(item, sign, length)
        case Binary(sign, Number(length), Call("string-length", (Place("."),))) if sign in _LIMITS:
            return _length(item, translation.MIRRORED[sign], length)
    return None


def _length(item: Item, sign: str, text: str) -> Json:
    if item.answer is None or item.answer.kind != "text" or not text.isdecimal():
        raise Unsupported("string-length() is about texts and whole numbers")
    length = int(text)
    found: Json = {"type": "text"}
    if sign in (">", ">=", "="):
        found["minLength"] = length + (sign == ">")
    if sign in ("<", "<=", "="):
        found["maxLength"] = length - (sign == "<")
    if found.get("maxLength") == 0:
        raise Unsupported("no text at all would be allowed")
    return found
