"""XLSForms become forms that judge answers as the XLSForm means it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from appliance.domain import imported as imports
from appliance.domain.comparison import values_equal
from appliance.domain.imported import Imported
from appliance.domain.rules import survey_rules
from appliance.errors import FieldError, Invalid
from tests.domain.oracle import Oracle
from tests.domain.test_oracle import plain
from tests.domain.xlsforms import element, imported, warnings

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)


def ours(made: Imported, **data: Any) -> dict[str, Any] | tuple[FieldError, ...]:
    try:
        return survey_rules(made.definition).check(data, NOW)
    except Invalid as refusal:
        return refusal.errors


class Judge:
    """Our verdict on answers, beside survey-core's."""

    def __init__(self, survey_core: Oracle) -> None:
        self._survey_core = survey_core

    def __call__(self, made: Imported, **data: Any) -> dict[str, Any] | list[str]:
        """The data as stored, or the paths of what is refused."""
        theirs = self._survey_core.judge(made.definition, data, NOW.timestamp() * 1000)
        kept = ours(made, **data)
        if isinstance(kept, tuple):
            # Of choices survey-core trusts the page.
            outside = all("choices" in fault.message for fault in kept)
            assert not theirs.valid or outside, (data, kept)
            return [fault.path for fault in kept]
        assert theirs.valid, (data, theirs.errors)
        assert values_equal(plain(kept), plain(theirs.data)), (data, kept, theirs.data)
        return kept


@pytest.fixture
def judge(survey_core: Oracle) -> Judge:
    return Judge(survey_core)


def test_required_and_relevant(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | required | required_message | relevant
        integer | age | Age | yes | |
        text | school | School | true() | Which one? | ${age} < 18
        text | job | Job | ${age} >= 18 | | ${age} >= 16
        """)
    assert warnings(made) == {}
    assert judge(made) == ["/data/age"]
    assert judge(made, age=12) == ["/data/school"]
    assert element(made, "school")["requiredErrorText"] == "Which one?"
    assert judge(made, age=12, school="A") == {"age": 12, "school": "A"}
    assert judge(made, age=17, school="A") == {"age": 17, "school": "A"}
    assert judge(made, age=30) == ["/data/job"]
    assert judge(made, age=30, job="cook", school="left over") == {"age": 30, "job": "cook"}
    assert judge(made, age=1.5, school="A") == ["/data/age"]


def test_what_is_not_relevant_is_no_answer_to_others(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | relevant
        select_one yn | smoke | Smoke? |
        integer | packs | Packs | ${smoke} = 'yes'
        text | advice | Advice | ${packs} > 1
        choices
        list_name | name | label
        yn | yes | Yes
        yn | no | No
        """)
    assert judge(made, smoke="yes", packs=2, advice="x") == {"smoke": "yes", "packs": 2, "advice": "x"}
    # survey-core, given all at once, forgets to ask anew; on the page it does not.
    assert ours(made, smoke="no", packs=2, advice="x") == {"smoke": "no"}


def test_constraints(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | constraint | constraint_message
        decimal | weight | Weight | . > 0 and . <= 300 | 0 to 300
        text | code | Code | regex(., '[A-Z]{2}[0-9]{3}') | two letters, three digits
        text | nick | Nick | string-length(.) >= 2 and string-length(.) < 6 | 2 to 5
        text | zip | Zip | string-length(.) = 5 |
        date | born | Born | . <= today() | not yet
        select_multiple f | fruit | Fruit | count-selected(.) <= if(selected(., 'none'), 1, 2) | no
        integer | low | Low | . < ${high} or ${high} = '' |
        integer | high | High | |
        choices
        list_name | name | label
        f | apple | Apple
        f | pear | Pear
        f | plum | Plum
        f | none | None
        """)
    assert warnings(made) == {}
    assert judge(made) == {}, "a constraint is not asked of what was not answered"
    good = {"weight": 70.5, "code": "AB123", "nick": "abc", "zip": "12345", "born": "2026-11-27", "low": 1}
    assert judge(made, **good, fruit=["apple", "pear"]) == {**good, "fruit": ["apple", "pear"]}
    assert judge(made, weight=0) == ["/data/weight"]
    assert judge(made, weight=300.5) == ["/data/weight"]
    assert judge(made, code="xAB123x") == ["/data/code"], "a pattern is for the whole answer"
    assert judge(made, nick="a") == judge(made, nick="abcdef") == ["/data/nick"]
    assert judge(made, zip="1234") == judge(made, zip="123456") == ["/data/zip"]
    assert judge(made, born="2026-11-28") == ["/data/born"]
    assert judge(made, fruit=["apple", "pear", "plum"]) == ["/data/fruit"]
    assert judge(made, fruit=["apple", "none"]) == ["/data/fruit"]
    assert judge(made, fruit=["none"]) == {"fruit": ["none"]}
    assert judge(made, low=5, high=5) == ["/data/low"]
    assert judge(made, low=5, high=6) == {"low": 5, "high": 6}
    assert element(made, "weight")["validators"][0]["text"] == "0 to 300"
    assert "text" not in element(made, "zip")["validators"][0], "survey-core has words for lengths"
    assert element(made, "low")["validators"][0]["text"] == "This answer is not allowed"


@pytest.mark.parametrize(
    "constraint, told",
    [
        (". > 0 and . <= 300", "must be above 0 and at most 300"),
        ("-5 <= .", "must be at least -5"),
        (". <= today()", "must be not after today"),
        (". < 5 or . > 9", "This answer is not allowed"),
        ("regex(., '[a-z]+')", "This answer does not have the expected form"),
    ],
)
def test_a_constraint_without_a_message_is_told_in_words(constraint: str, told: str) -> None:
    kind = "date" if "today" in constraint else "text" if "regex" in constraint else "decimal"
    made = imported(f"""
        survey
        type | name | label | constraint
        {kind} | q | Q | {constraint}
        """)
    assert [one["text"] for one in element(made, "q")["validators"]] == [told]


def test_ages_by_dates(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | constraint | calculation | relevant
        date | born | Born | (today() - .) div 365.25 >= 18 | |
        calculate | age | | | int((today() - ${born}) div 365.25) |
        calculate | span | | | ${from} - ${until} |
        date | from | From | | |
        date | until | Until | | |
        text | adult | Adult | | | ${age} >= 18
        """)
    assert judge(made, born="1990-11-28", adult="x") == {"born": "1990-11-28", "adult": "x", "age": 35}
    assert judge(made, born="2010-01-01") == ["/data/born"]
    assert judge(made, adult="x") == {}
    both = {"from": "2026-01-11", "until": "2026-01-01"}
    assert judge(made, **both) == {**both, "span": 10}
    assert judge(made, **{"from": both["until"], "until": both["from"]})["span"] == -10  # type: ignore[call-overload]


def test_choices(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | appearance | relevant | required | parameters
        select_one c or_other | color | Color | | | |
        select_multiple c | colors | Colors | minimal | selected(${color}, 'red') | | randomize=true
        rank c | order | Order | | | |
        acknowledge | agree | Agree? | | | yes |
        text | why | Why? | | ${agree} = 'OK' and selected(${colors}, 'blue') | |
        choices
        list_name | name | label
        c | red | Red
        c | blue | Blue
        """)
    assert warnings(made) == {}
    kinds = [element(made, name)["type"] for name in ("color", "colors", "order", "agree")]
    assert kinds == ["radiogroup", "tagbox", "ranking", "checkbox"]
    assert element(made, "colors")["choicesOrder"] == "random"
    ok = {"agree": ["OK"]}
    assert judge(made) == ["/data/agree"]
    assert judge(made, **ok, color="green") == ["/data/color"]
    assert judge(made, **ok, color="other", **{"color-Comment": "green"}) != ["/data/color"]
    assert judge(made, **ok, color="blue", colors=["red"]) == {**ok, "color": "blue"}
    both = {**ok, "color": "red", "colors": ["red", "blue"]}
    assert judge(made, **both, why="so") == {**both, "why": "so"}
    one = {**ok, "color": "red", "colors": ["red"]}
    assert judge(made, **one, why="so") == one
    assert judge(made, **ok, order=["blue", "red"]) == {**ok, "order": ["blue", "red"]}


def test_choices_that_depend_on_another(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | choice_filter
        select_one state | state | State |
        select_one county | county | County | state = ${state}
        select_one city | city | City | state=${state} and county=${county}
        choices
        list_name | name | label | state | county
        state | tx | Texas | |
        state | wa | Washington | |
        county | king | King | wa |
        county | cameron | Cameron | tx |
        city | brownsville | Brownsville | tx | cameron
        city | seattle | Seattle | wa | king
        """)
    assert warnings(made) == {}
    good = {"state": "wa", "county": "king", "city": "seattle"}
    assert judge(made, **good) == good
    assert judge(made, **{**good, "city": "brownsville"}) == ["/data/city"]
    assert judge(made, state="tx", county="king") == ["/data/county"]
    assert judge(made, county="king") == ["/data/county"]


def test_groups_and_calculations(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | relevant | calculation | required | default
        integer | price | Price | | | |
        integer | count | Count | | | |
        begin_group | order | Order | ${count} > 0 | | |
        calculate | total | | | ${price} * ${count} | |
        note | told | That is ${total} | ${total} > 100 | | |
        begin_group | inner | Inner | ${total} > 100 | | |
        text | reason | Why so much? | | | yes |
        end_group | | | | | |
        end_group | | | | | |
        calculate | greeting | | | concat('Hello ', ${name}, '!') | |
        text | name | Name | | | |
        hidden | kind | | | | | web
        text | doubled | Twice | | ${price} * 2 | |
        """)
    assert list(warnings(made)) == ["/survey/14/calculation"]
    fixed = {"kind": "web"}
    assert judge(made) == {**fixed, "greeting": "Hello !"}
    small = judge(made, price=5, count=2, name="Ada", total=99999, kind="forged", doubled=7)
    assert small == {
        "price": 5, "count": 2, "total": 10, "name": "Ada", "greeting": "Hello Ada!", "doubled": 10, **fixed,
    }  # fmt: skip
    assert judge(made, price=500, count=2) == ["/data/reason"]
    none = judge(made, price=500, count=0, reason="left over")
    assert isinstance(none, dict) and "total" not in none and "reason" not in none
    assert element(made, "told")["html"] == "That is {total}"


def test_repeats(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | relevant | constraint | required | calculation | repeat_count
        integer | adults | Adults | | | | |
        integer | many | How many children? | | | | |
        begin_repeat | child | Child | | | | | ${many}
        text | name | Name | | | yes | |
        integer | age | Age of ${name} | | . < 18 and . <= ${adults} * 9 | | |
        text | school | School of ${name} | ${age} >= 6 | | yes | |
        calculate | place | | | | | position(..) |
        calculate | months | | | | | ${age} * 12 |
        end_repeat | | | | | | |
        begin_repeat | pet | Pet | | | | | 2
        text | pname | Name | | | | |
        end_repeat | | | | | | |
        calculate | ages | | | | | sum(${age}) |
        calculate | heads | | | | | count(${child}) |
        calculate | oldest | | | | | max(${age}) |
        text | big | Big family | ${heads} > 1 and ${ages} > 10 | | | |
        """)
    assert warnings(made) == {}
    assert judge(made, many=0) == {"many": 0, "ages": 0, "heads": 0}
    ada = {"name": "Ada", "age": 5}
    told = judge(made, many=1, adults=2, child=[ada], big="no")
    assert isinstance(told, dict)
    assert told["child"] == [{**ada, "place": 1, "months": 60}]
    assert (told["ages"], told["heads"], told["oldest"], told.get("big")) == (5, 1, 5, None)
    assert judge(made, many=2, adults=2, child=[ada]) == ["/data/child/1/name"], "the count is what it says"
    assert judge(made, many=1, adults=2, child=[{"age": 7}]) == [
        "/data/child/0/name", "/data/child/0/school",
    ]  # fmt: skip
    assert judge(made, many=1, adults=2, child=[{"name": "x", "age": 18, "school": "A"}]) == [
        "/data/child/0/age"
    ]
    assert judge(made, many=1, adults=1, child=[{"name": "x", "age": 10, "school": "A"}]) == [
        "/data/child/0/age"
    ]
    two = [{"name": "x", "age": 10, "school": "A"}, {"name": "y", "age": 3}]
    told = judge(made, many=2, adults=2, child=two, big="yes")
    assert isinstance(told, dict) and (told["big"], told["oldest"]) == ("yes", 10)
    assert [row["place"] for row in told["child"]] == [1, 2]
    assert element(made, "pet")["minPanelCount"] == element(made, "pet")["maxPanelCount"] == 2
    assert element(made, "age")["title"] == "Age of {panel.name}"


def test_repeats_within_repeats(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | relevant | calculation
        begin_repeat | house | House | |
        text | street | Street | |
        begin_repeat | room | Room | |
        text | color | Color in ${street} | ${street} != '' |
        integer | area | Area | |
        end_repeat | | | |
        calculate | space | | | sum(${area})
        end_repeat | | | |
        calculate | all | | | sum(${area})
        """)
    assert list(warnings(made)) == ["/survey/10/calculation"], "over two repeats at once there is no sum"
    told = judge(made, house=[{"street": "A", "room": [{"color": "red", "area": 4}, {"area": 5}]}])
    assert told == {
        "house": [{"street": "A", "room": [{"color": "red", "area": 4}, {"area": 5}], "space": 9}]
    }
    assert element(made, "color")["title"] == "Color in {parentPanel.street}"


def test_kinds_of_questions() -> None:
    made = imported("""
        survey
        type | name | label | appearance | parameters | default | read_only | rows
        text | essay | Essay | multiline | | | | 7
        text | phone | Phone | numbers | | | |
        text | fixed | Fixed | | | as it is | yes |
        range | pain | Pain | | start=1 end=5 step=0.5 | 2 | |
        range | stars | Stars | rating | start=1;end=4 | | |
        date | day | Day | | | today() | |
        time | hour | Hour | | | | |
        dateTime | moment | Moment | | | | |
        image | photo | Photo | | | | |
        image | sign | Sign | signature | | | |
        file | paper | Paper | | | | |
        barcode | bar | Bar | | | | |
        select_one_from_file towns.csv | town | Town | | | | |
        """)
    assert list(warnings(made)) == ["/survey/14/type"]
    assert element(made, "essay") == {"type": "comment", "name": "essay", "title": "Essay", "rows": 7}
    assert element(made, "fixed")["readOnly"] is True and element(made, "fixed")["defaultValue"] == "as it is"
    assert element(made, "pain") | {
        "type": "slider",
        "min": 1,
        "max": 5,
        "step": 0.5,
        "defaultValue": 2,
    } == element(made, "pain")
    assert element(made, "stars")["rateMax"] == 4
    assert element(made, "day")["defaultValueExpression"] == "today()"
    inputs = [element(made, name).get("inputType") for name in ("phone", "hour", "moment", "bar")]
    assert inputs == ["tel", "time", "datetime-local", None]
    assert element(made, "photo")["acceptedTypes"] == "image/*"
    assert element(made, "sign") == {"type": "signaturepad", "name": "sign", "title": "Sign"}
    refused = ours(made, pain=6, stars=5)
    assert isinstance(refused, tuple)
    assert [fault.path for fault in refused] == ["/data/pain", "/data/stars"]


def test_languages(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label::English (en) | label::Français (fr) | hint::French | constraint | requiredMsg::fr
        text | name | Name | Nom | Le vôtre | . != 'x' | non
        select_one yn | ok | Fine? | Bien ? | | |
        choices
        list_name | name | label::English (en) | label::Français (fr)
        yn | yes | Yes | Oui
        yn | no | No |
        settings
        form_title | default_language
        Test | Français (fr)
        """)
    assert made.definition["locale"] == "fr"
    name = element(made, "name")
    assert name["title"] == {"default": "Name", "fr": "Nom"}
    assert name["description"] == {"default": "Le vôtre", "fr": "Le vôtre"}
    assert element(made, "ok")["choices"][0]["text"] == {"default": "Yes", "fr": "Oui"}
    assert element(made, "ok")["choices"][1]["text"] == "No"
    assert made.title == "Test"
    assert judge(made, name="x") == ["/data/name"]


def test_pages(judge: Judge) -> None:
    made = imported("""
        survey
        type | name | label | relevant | appearance
        text | first | First | |
        begin_group | more | More | ${first} = 'yes' | field-list
        text | second | Second | |
        end_group | | | |
        text | third | Third | |
        text | fourth | Fourth | |
        settings
        style
        pages
        """)
    assert [page["name"] for page in made.definition["pages"]] == ["page_1", "more", "page_3"]
    assert made.definition["pages"][1]["visibleIf"] == "{#first} = 'yes'"
    assert judge(made, first="no", second="x", fourth="y") == {"first": "no", "fourth": "y"}


def test_nothing_is_dropped_in_silence() -> None:
    made = imported("""
        survey
        type|name|label|relevant|constraint|calculate|appearance|media::image|bind::x|required|default
        start | start | | | | | | | | |
        geopoint | where | Where | | | | maps | | | |
        text | a | A | ${where} != '' | pulldata('x', 'y') = 1 | | counter | a.png | x | yes |
        text | b | B | regex(${a}, 'x') | string-length(.) < 5 and regex(., '(?=x)') | | | | | |
        calculate | c | | | | once(random()) | | | | |
        calculate | d | | | | ${c} + 1 | | | | |
        text | e | E ${nobody} | ${d} > 1 | | | | | | |
        begin_kobomatrix | m | M | | | | | | | |
        image | f | F | | | | | | | | cat.png
        text | g | G | ((${a} = | | | | | | |
        audit | audit | | | | | | | | |
        choices
        list_name | name | label | geometry
        x | 1 | One | 1 1
        settings
        form_title | version | instance_name
        Test | 7 | concat(${a})
        entities
        list_name
        people
        """)
    told = warnings(made)
    assert sorted(told) == [
        "/choices/1/geometry", "/choices/2", "/entities", "/settings/2/instance_name",
        "/settings/2/version", "/survey/1/bind::x", "/survey/1/media::image", "/survey/10/default",
        "/survey/11/relevant", "/survey/12/type", "/survey/2/type", "/survey/3/type", "/survey/4/appearance",
        "/survey/4/constraint", "/survey/4/relevant", "/survey/4/required", "/survey/5/constraint",
        "/survey/5/relevant", "/survey/6/calculation", "/survey/7/calculation", "/survey/8/label",
        "/survey/8/relevant", "/survey/9/type",
    ]  # fmt: skip
    assert "pulldata" in told["/survey/4/constraint"], "the expression is kept in the warning"
    assert "look-ahead" in told["/survey/5/constraint"] or "regex" in told["/survey/5/constraint"]
    assert "${c} was not carried over" in told["/survey/7/calculation"]
    assert [one["name"] for one in made.definition["elements"]] == ["a", "b", "e", "f", "g"]
    assert element(made, "b")["validators"] == [{"type": "text", "maxLength": 4}]
    assert "isRequired" not in element(made, "a"), "it would have to be answered where it should not show"


def test_names_that_are_taken() -> None:
    made = imported("""
        survey
        type | name | label | relevant
        begin_group | mother | Mother |
        text | name | Name |
        end_group | | |
        begin_group | father | Father |
        text | Name | Name |
        end_group | | |
        text | | Nameless | ${Name} = 'x'
        """)
    assert list(warnings(made)) == ["/survey/6/name", "/survey/8/name", "/survey/8/relevant"]
    assert element(made, "question_8")["visibleIf"] == "{#Name_2} = 'x'"


@pytest.mark.parametrize(
    "rows, path",
    [
        ("begin_group | g\ntext | a", "/survey/2/type"),
        ("text | a\nend_group |", "/survey/3/type"),
        ("begin_group | g\ntext | a\nend_repeat |", "/survey/4/type"),
        ("begin_repeat | g\nbegin_group | h\ntext | a\nend_repeat |\nend_group |", "/survey/5/type"),
        ("geopoint | n", "/definition"),
        ("text | a\n" + "begin_group | g\n" * 16, "/survey/18/type"),
    ],
)
def test_what_is_no_form_is_refused(rows: str, path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        imported(f"survey\ntype | name\n{rows}")
    assert refusal.value.errors[0].path == path


def test_many_warnings_are_counted() -> None:
    rows = "\n".join(f"geopoint | g{n}" for n in range(imports.MAX_WARNINGS + 10))
    made = imported(f"survey\ntype | name\ntext | a\n{rows}")
    assert len(made.warnings) == imports.MAX_WARNINGS + 1
    assert made.warnings[-1].message == "10 more warnings are not listed"
