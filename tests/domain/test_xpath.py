"""Expressions of XLSForms: read, and true where XPath says so. elementpath, which runs it, is the oracle."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple
from xml.etree import ElementTree

import elementpath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.answer import check_answers
from appliance.domain.form import compile_definition
from appliance.domain.xlsform.names import Field, Here, Names, Unsupported
from appliance.domain.xlsform.sheets import Row
from appliance.domain.xlsform.translation import condition, value
from appliance.domain.xlsform.xpath import MAX_LENGTH, MAX_NESTING, MAX_NODES, parse_xpath

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
FIELDS: dict[str, dict[str, Any]] = {
    "a": {"type": "text", "inputType": "number"},
    "b": {"type": "text", "inputType": "number"},
    "t": {"type": "text"},
    "m": {"type": "checkbox", "choices": ["x", "y", "z"]},
    "c": {"type": "radiogroup", "choices": ["x", "y", "10"]},
}
KINDS = {"a": "number", "b": "number", "t": "text", "m": "list", "c": "choice"}


def names() -> Names:
    found = Names()
    for name, kind in KINDS.items():
        values = ("x", "y", "z") if name == "m" else ()
        found.add(Field(name, name, kind, (), values))  # type: ignore[arg-type]
    return found


def holds(text: str, data: dict[str, Any]) -> bool:
    """Whether the condition is true to the form engine."""
    elements = [{"name": name, **element} for name, element in FIELDS.items()]
    probe = {
        "type": "text",
        "name": "probe",
        "visibleIf": condition(text, names(), Here(), lambda note: None),
    }
    form = compile_definition({"elements": [*elements, probe]})
    return "probe" in check_answers(form, {**data, "probe": "x"}, NOW)


# -- beside an XPath engine


class Both(NamedTuple):
    """An expression as XLSForms write it, and as XPath 1.0 does."""

    form: str
    path: str


def _ref(name: str, function: str = "string") -> Both:
    """`string`, as JavaRosa takes an answer; to XPath itself each element that is there is true."""
    return Both(f"${{{name}}}", f"{function}(/data/{name})")


def _joined(operators: list[str], one: st.SearchStrategy[Both], other: st.SearchStrategy[Both]) -> Any:
    def join(left: Both, operator: str, right: Both) -> Both:
        return Both(*(f"({a}) {operator} ({b})" for a, b in zip(left, right, strict=True)))

    return st.builds(join, one, st.sampled_from(operators), other)


def _selected(name: str) -> Both:
    return Both(f"selected(${{m}}, '{name}')", f"contains(concat(' ', /data/m, ' '), ' {name} ')")


def _wrapped(one: Both, function: str) -> Both:
    return Both(f"{function}({one.form})", f"{function}({one.path})")


LITERALS = st.integers(-3, 12).map(lambda n: Both(str(n), str(n)))
NUMBERS = st.recursive(
    st.one_of(st.sampled_from([_ref("a", "number"), _ref("b", "number")]), LITERALS),
    lambda inner: st.one_of(
        _joined(["+", "-", "*"], inner, inner),
        # Not mod: elementpath takes Python's sign of it, XPath 1.0 that of the dividend.
        _joined(["div"], inner, st.sampled_from([Both("2", "2"), Both("4", "4")])),
        inner.map(lambda one: Both(f"-({one.form})", f"-({one.path})")),
    ),
    max_leaves=4,
)
TEXTS = st.sampled_from([Both(text, text) for text in ("''", "'x'", "'y'", "'10'", '"it\'s"')])
CONDITIONS: st.SearchStrategy[Both] = st.recursive(
    st.one_of(
        _joined(["<", "<=", ">", ">="], NUMBERS, NUMBERS),
        _joined(["=", "!="], NUMBERS, LITERALS),
        _joined(["=", "!="], st.sampled_from([_ref("t"), _ref("c")]), TEXTS),
        _joined(["=", "!="], st.sampled_from([_ref("a"), _ref("m")]), st.just(Both("''", "''"))),
        st.sampled_from("xyz").map(_selected),
        st.sampled_from([_ref("t"), _ref("c"), _ref("m")]),
        NUMBERS.map(lambda one: Both(f"boolean({one.form})", f"boolean(number({one.path}))")),
    ),
    lambda inner: st.one_of(
        _joined(["and", "or"], inner, inner),
        inner.map(lambda one: _wrapped(one, "not")),
    ),
    max_leaves=5,
)
DATA = st.fixed_dictionaries(
    {},
    optional={
        "a": st.integers(-3, 12),
        "b": st.integers(-3, 12),
        "t": st.sampled_from(["x", "y", "10", "it's"]),
        "c": st.sampled_from(["x", "y", "10"]),
        "m": st.lists(st.sampled_from("xyz"), min_size=1, unique=True),
    },
)


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(both=CONDITIONS, data=DATA)
def test_conditions_are_true_where_xpath_says_so(both: Both, data: dict[str, Any]) -> None:
    root = ElementTree.Element("data")
    for name in FIELDS:
        answer = data.get(name, "")
        text = " ".join(answer) if isinstance(answer, list) else str(answer)
        ElementTree.SubElement(root, name).text = text
    path = f"boolean({both.path})"
    wanted = elementpath.select(ElementTree.ElementTree(root), path, parser=elementpath.XPath1Parser)
    assert holds(both.form, data) == wanted, (
        both.form,
        condition(both.form, names(), Here(), lambda note: None),
    )


# -- functions that XPath 1.0 has not


@pytest.mark.parametrize(
    "text, data, wanted",
    [
        ("coalesce(${a}, 7) = 7", {}, True),
        ("coalesce(${a}, 7) = 0", {"a": 0}, True),
        ("coalesce(${a}, ${b}) + 1 = 3", {"b": 2}, True),
        ("coalesce(${a}, ${b}) + 1 < 3", {}, False),
        ("coalesce(${a} + ${b}, 0) = 0", {"a": 4}, True),
        ("if(${a} > 1, 'big', 'small') = 'big'", {"a": 2}, True),
        ("if(${a} > 1, 'big', 'small') = 'small'", {}, True),
        ("if(${a} > 1, ${b}, 0) + 1 > 0", {"a": 2}, False),
        ("if(${a} > 1, ${b}, 0) + 1 > 0", {"a": 1}, True),
        ("count-selected(${m}) = 2", {"m": ["x", "y"]}, True),
        ("count-selected(${m}) = 0", {}, True),
        ("count-selected(${c}) = 1", {"c": "x"}, True),
        ("selected(${c}, 'x')", {"c": "x"}, True),
        ("selected(${c}, '1')", {"c": "10"}, False),
        ("selected-at(${m}, 1) = 'z'", {"m": ["x", "z"]}, True),
        ("${m} = 'x'", {"m": ["x"]}, True),
        ("${m} = 'x'", {"m": ["x", "y"]}, False),
        ("contains(${m}, 'x')", {"m": ["x", "y"]}, True),
        ("contains(${t}, 'or')", {"t": "words"}, True),
        ("starts-with(${t}, '1')", {"t": "10"}, True),
        ("starts-with(${t}, 'w')", {"t": "sword"}, False),
        ("substr(${t}, 1, 3) = 'or'", {"t": "word"}, True),
        ("concat(${t}, '-', ${a}) = 'q-5'", {"t": "q", "a": 5}, True),
        ("concat(${a}, ' of ', ${b}) = '1 of 2'", {"a": 1, "b": 2}, True),
        ("concat(${t}, ${c}) = '1010'", {"t": "10", "c": "10"}, True),
        ("int(${a} div 3) = 3", {"a": 11}, True),
        ("round(${a} div 3, 2) = 3.67", {"a": 11}, True),
        ("pow(${a}, 2) = 9 and sqrt(${a} * 3) = 3 and abs(0 - ${a}) = 3", {"a": 3}, True),
        ("min(${a}, ${b}, 5) = 2 and max(${a}, ${b}) = 9", {"a": 2, "b": 9}, True),
        ("today() = '2026-11-27' and today() > date('2026-11-26')", {}, True),
        ("now() >= today()", {}, True),
        ("${t} = “x” or ${t} = ‘y’", {"t": "y"}, True),
        ("true() and not(false())", {}, True),
        ("string-length(${t}) > 0", {"t": "x"}, True),
        ("string-length(${a}) > 0", {}, False),
        ("string-length(${t}) >= 2", {"t": "x"}, False),
        ("string-length(${t}) = 2 and string-length(${t}) <= 2", {"t": "10"}, True),
        ("string-length(${t}) = 2 or 3 < string-length(${t})", {"t": "abc"}, False),
        ("string-length(${t}) < 1 and string-length(${t}) = 0 and string-length(${t}) != 1", {}, True),
        ("/data/group/a = 5 and ../a = 5 and ../../group/a = 5", {"a": 5}, True),
        ("${a} mod 2 = -1 and 5 mod ${a} = 0 and 5 mod -2 = 1", {"a": -5}, True),
        ("${a} div ${b} = 2.5", {"a": 5, "b": 2}, True),
        ('${t} = "it\'s"', {"t": "it's"}, True),
        ("boolean-from-string(${t})", {"t": "true"}, True),
        ("boolean-from-string(${t})", {"t": "no"}, False),
        ("number(${t}) + 1 = 11", {"t": "10"}, True),
        ("string(${a}) = '5'", {"a": 5}, True),
        (". > 1", {"a": 2}, None),
    ],
)
def test_functions(text: str, data: dict[str, Any], wanted: bool | None) -> None:
    if wanted is None:
        with pytest.raises(Unsupported):
            holds(text, data)
    else:
        assert holds(text, data) is wanted


def test_values() -> None:
    def of(text: str) -> str:
        return value(text, names(), Here(), lambda note: None)

    assert of("${a} + ${b} * 2") == "iif(({a} notempty) and ({b} notempty), {a} + ({b} * 2))"
    assert of("${a}") == "{a}"
    assert of("1 + 2 + 3") == "1 + 2 + 3"
    assert of("${a} = 1 and ${b} = 2 and ${t} = 'x'") == "({a} = 1) and ({b} = 2) and ({#t} = 'x')"


@pytest.mark.parametrize("sign", [" and ", " or ", " + ", " - ", " = "])
def test_the_longest_expression_is_translated(sign: str) -> None:
    assert condition(sign.join(["${a}"] * MAX_NODES), names(), Here(), lambda note: None)


def test_columns_of_choices() -> None:
    row = Row("choices", 2, {"name": "king", "state": "wa"})
    here = Here(choice=row)
    assert condition("state = ${t} and name != ''", names(), here, lambda note: None).startswith(
        "({#t} = 'wa')"
    )
    with pytest.raises(Unsupported, match="language"):
        condition("label = ${t}", names(), here, lambda note: None)


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "it ends where a value is needed"),
        ("1 +", "it ends where a value is needed"),
        ("(1", "a closing parenthesis is missing"),
        ("1)", "cannot be read from ')' on"),
        ("f(1", "a closing parenthesis is missing"),
        ("/", "by their names only"),
        ("/data/*", "by their names only"),
        ("../..", "by their names only"),
        ("//a", "paths and filters"),
        ("/data/a[1]", "paths and filters"),
        ("${a}/b", "paths and filters"),
        ("instance('x')/root/item[name = 1]", "paths and filters"),
        ("1 | 2", "paths and filters"),
        ("'open", "cannot be read from"),
        ("a # b", "cannot be read from"),
        ("(" * (MAX_NESTING + 1) + "1" + ")" * (MAX_NESTING + 1), "nested"),
        ("-" * (MAX_NESTING + 2) + "1", "nested"),
        ("1" + "+1" * MAX_NODES, "operands"),
        ("1" * (MAX_LENGTH + 1), "longer"),
    ],
)
def test_what_cannot_be_read(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("(", r"\(").replace(")", r"\)")):
        parse_xpath(text)


@pytest.mark.parametrize(
    "text, why",
    [
        ("${nobody} = 1", "there is no question ${nobody}"),
        ("${last-saved#a} = 1", "last saved"),
        ("jr:choice-name(${c}, '${c}')", "language"),
        ("frobnicate(1)", "no such function"),
        ("regex(${t}, 'x')", "pattern"),
        ("count-selected()", "0 arguments"),
        ("../nobody = 1", "there is no question ${nobody}"),
        ("name = 1", "leads to no question"),
        ("${m} > 1", "several choices"),
        ("contains(${m}, 'q')", "use selected"),
        ("string-length(${t}) > ${a}", "beside a number"),
        ("string-length(${a}) > 1", "with a text"),
        ("selected(${t}, 'x')", "questions with choices"),
        ("${t} = 'a => b'", "cannot be written"),
        ("position(..) > 1", "in a repeat"),
        ("sum(${a} + 1, 'x')", "no number"),
    ],
)
def test_what_has_no_counterpart(text: str, why: str) -> None:
    with pytest.raises((Unsupported, ValueError)) as refusal:
        condition(text, names(), Here(), lambda note: None)
    assert why in str(refusal.value)


def test_case_is_told() -> None:
    notes: list[str] = []
    condition("${t} = 'Yes' and ${c} = 'x' and ${t} != '5'", names(), Here(), notes.append)
    assert notes == ["texts are compared without regard to upper and lower case"]
