"""Whatever stands in the cells or the schema: a form that passes the check, or a refusal that says where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.form import compile_definition
from appliance.domain.imported import Imported
from appliance.domain.schema_import import convert as convert_schema
from appliance.domain.xlsform.columns import CARRIED
from appliance.domain.xlsform.convert import convert
from appliance.domain.xlsform.functions import FUNCTIONS
from appliance.domain.xlsform.question_types import LEFT_OUT, SIMPLE
from appliance.domain.xlsform.sheets import Row, Sheet, Workbook
from appliance.errors import FieldError, Invalid

TYPES = [
    *SIMPLE,
    *list(LEFT_OUT)[:3],
    "select_one x",
    "select_multiple x or_other",
    "rank y",
    "select_one_from_file z",
]
BLOCKS = ["begin_group", "end_group", "begin_repeat", "end_repeat"]
NAMES = ["a", "b", "A", "c d", "panel", "{x}", "$", "ä", "x" * 300, "a.b", "row[0]", ""]
OPERATORS = ["and", "or", "=", "!=", "<", ">=", "+", "-", "div", "mod", "*"]
VALUES_OF = ["${a}", "${b}", "${c d}", ".", "..", "1", "0", "2.50", "'x'", '"it\'s"', "x", "\u202e"]
BROKEN = [",", ")", "(", "-", "{", "'", "\\", "=>", "${", "/", "regex(., '(?=x)')", "string-length(.) < 3"]
PIECES = [*(f"{name}(" for name in FUNCTIONS), *VALUES_OF, *BROKEN, *(f" {sign} " for sign in OPERATORS)]
EXPRESSIONS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)
CELLS = st.one_of(
    EXPRESSIONS, st.sampled_from(["yes", "no", "5", "-1", "1e999", "nan", "🙂", "start=1 end=x", "x y"])
)
EXTRA = ["label::fr", "label::en", "media::image", "", "bind::x", "choice_filter"]
COLUMNS = sorted(CARRIED["survey"] - {"type", "name"}) + EXTRA


@st.composite
def books(draw: st.DrawFn) -> Workbook:
    survey = Sheet("survey", ["type", "name", *COLUMNS], [])
    for number in range(draw(st.integers(1, 8))):
        cells = {"type": draw(st.sampled_from([*TYPES, *BLOCKS])), "name": draw(st.sampled_from(NAMES))}
        cells |= draw(st.dictionaries(st.sampled_from(COLUMNS), CELLS, max_size=4))
        survey.rows.append(Row("survey", number + 2, {key: text for key, text in cells.items() if text}))
    for row in [one for one in survey.rows if one.cells.get("type", "").startswith("begin")]:
        survey.rows.append(Row("survey", 99, {"type": row.cells["type"].replace("begin", "end")}))
    choices = Sheet("choices", ["list_name", "name", "label", "extra"], [])
    for number in range(draw(st.integers(0, 4))):
        cells = {"list_name": "x", "name": draw(st.sampled_from(["1", "x", "X", ""])), "extra": draw(CELLS)}
        choices.rows.append(Row("choices", number + 2, {key: text for key, text in cells.items() if text}))
    names = ["form_title", "form_id", "default_language", "style", "version"]
    given = draw(st.dictionaries(st.sampled_from(names), CELLS | st.just("pages"), max_size=3))
    settings_sheet = Sheet("settings", names, [Row("settings", 2, given)])
    return Workbook({sheet.name: sheet for sheet in (survey, choices, settings_sheet)})


def check(convert: Callable[[], Imported]) -> None:
    try:
        made = convert()
    except Invalid as refusal:
        told = refusal.errors
    else:
        compile_definition(made.definition)
        told = (*made.warnings, FieldError("", "a form was made"))
    assert told
    assert all(fault.message for fault in told)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(book=books())
def test_any_xlsform(book: Workbook) -> None:
    check(lambda: convert(book))


WORDS = (
    "items const anyOf $ref required minLength maxLength minimum maximum exclusiveMinimum multipleOf pattern "
    "format default title description minItems maxItems uniqueItems readOnly not"
)


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    named = st.dictionaries(st.sampled_from(["a", "b", "A", "a_b", "$x", "{}"]), inner, max_size=3)
    many = st.lists(inner, max_size=3)
    kinds = st.sampled_from(["string", "integer", "number", "boolean", "object", "array", "null", "x"])
    words = dict.fromkeys(WORDS.split(), inner)
    words |= {"type": kinds | inner, "enum": many, "oneOf": many, "allOf": many}
    words |= {"properties": named, "$defs": named, "dependentRequired": named}
    return st.fixed_dictionaries({}, optional=words)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 5),
        st.floats(),
        st.sampled_from(
            ["", "x", "string", "object", "#", "#/$defs/a", "#/properties/a", "date", "(", "^a$", "ä{}"]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | schemas(inner),
    max_leaves=12,
)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(properties=st.dictionaries(st.sampled_from("abc"), schemas(VALUES), min_size=1), more=schemas(VALUES))
def test_any_schema(properties: dict[str, Any], more: dict[str, Any]) -> None:
    check(lambda: convert_schema({**more, "properties": properties}))
