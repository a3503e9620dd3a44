"""The functions of XLSForms' expressions, in the words of survey-core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from appliance.domain.xlsform import functions_logic as logic
from appliance.domain.xlsform import functions_repeats as repeats
from appliance.domain.xlsform import functions_values as values
from appliance.domain.xlsform.functions_logic import Args, Function
from appliance.domain.xlsform.names import Unsupported
from appliance.domain.xlsform.pieces import Piece, number_literal

if TYPE_CHECKING:
    from appliance.domain.xlsform.translation import Translator


def call(translator: Translator, name: str, args: Args) -> Piece:
    """Raises Unsupported for what has no counterpart."""
    row = FUNCTIONS.get(name)
    if row is None:
        why = NONE.get(name, "SurveyJS has no such function")
        raise Unsupported(f"{name[:60]}(): {why}")
    function, least, most = row
    if not least <= len(args) <= most:
        raise Unsupported(f"{name}() has {len(args)} arguments")
    return function(translator, args)


NONE: Final[Mapping[str, str]] = {
    "jr:choice-name": "what a choice is called depends on the page's language",
    "jr:itext": "texts by id are not known here",
    "regex": "only a constraint on its own answer may match a pattern",
    "string-length": "the length of a text is only known beside a number that it is compared with",
    "pulldata": "files beside the form are not imported",
    "instance": "files beside the form are not imported",
    "once": "what was computed before is not kept",
    "random": "a number drawn anew with each check would never be settled",
    "uuid": "a value drawn anew with each check would never be settled",
}
"""Functions that are known and have no counterpart, and why."""


FUNCTIONS: Final[Mapping[str, tuple[Function, int, int]]] = {
    "true": (logic.constant("true"), 0, 0),
    "false": (logic.constant("false"), 0, 0),
    "not": (logic.negation, 1, 1),
    "boolean": (logic.truth, 1, 1),
    "boolean-from-string": (logic.boolean_from_string, 1, 1),
    "if": (logic.choice_of, 3, 3),
    "coalesce": (logic.coalesce, 2, 2),
    "selected": (logic.selected, 2, 2),
    "count-selected": (logic.count_selected, 1, 1),
    "selected-at": (logic.selected_at, 2, 2),
    "number": (values.number, 1, 1),
    "int": (values.numeric("trunc"), 1, 1),
    "round": (values.numeric("round"), 1, 2),
    "pow": (values.power, 2, 2),
    "sqrt": (values.root, 1, 1),
    "abs": (values.absolute, 1, 1),
    "pi": (lambda _, __: number_literal("3.141592653589793"), 0, 0),
    "string": (values.same, 1, 1),
    "contains": (values.contains, 2, 2),
    "starts-with": (values.starts_with, 2, 2),
    "substr": (values.substr, 2, 3),
    "concat": (values.concat, 1, 100),
    "today": (values.moment("today()"), 0, 0),
    "now": (values.moment("currentDate()"), 0, 0),
    "date": (values.date_of, 1, 1),
    "date-time": (values.date_of, 1, 1),
    "sum": (repeats.over("sum", "sum"), 1, 100),
    "min": (repeats.over("min", "min"), 1, 100),
    "max": (repeats.over("max", "max"), 1, 100),
    "count": (repeats.count, 1, 1),
    "count-non-empty": (repeats.count_non_empty, 1, 1),
    "position": (repeats.position_, 1, 1),
    "indexed-repeat": (repeats.indexed, 3, 3),
}
"""By name: what it becomes, the least and the most arguments."""
