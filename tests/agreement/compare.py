"""One form and its answers, judged by survey-core and by us: what agrees, and what does not and why.

survey-core trusts its client not to send what the page would not let through; we refuse that, or compute it
anew. Such a thing is looked for where it was put, taken out, and all else is compared. Nothing is excused but
what was put there on purpose, or what survey-core itself says it does not offer there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.answer import check_answers
from appliance.domain.form import Form, compile_definition
from appliance.domain.language import choose
from appliance.domain.survey_core import TOTALS, text
from appliance.errors import Invalid
from tests.agreement.leaving_out import at, is_below, without
from tests.domain.conditions import settled
from tests.domain.forms import NOW
from tests.domain.oracle import Oracle, SurveyCoreFailed, Verdict

Json = dict[str, Any]
Fault = tuple[str, str]

NOT_A_CHOICE: Final = text("variableValueNotInChoices", "").split("{0}")
_AGAIN: Final = 4
"""How often choices that are not offered are left out: what goes may be what others are offered by."""


@dataclass(frozen=True, slots=True)
class Pair:
    definition: Json
    data: Json
    wrong: tuple[str, ...] = ()
    """Where something was put that survey-core trusts its client not to send: JSON Pointers."""
    recomputed: bool = False
    """That is a value which the server computes; it answers with its own."""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    agrees: bool
    cause: str
    """What differs, or which kind of agreement it is."""
    detail: str = ""
    left_out: str = ""
    """Why something that was sent is not among what is compared."""
    taken: bool = False
    """Something was put there that must not be taken, and it was."""


def compare(survey_core: Oracle, pair: Pair) -> Outcome:
    try:
        made = compile_definition(pair.definition)
        return _spoiled(survey_core, pair, made) if pair.wrong else _judged(survey_core, pair, made)
    except Invalid as refused:
        return Outcome(False, "definition refused", str(refused.errors[:3]))
    except SurveyCoreFailed as failed:
        return Outcome(False, "survey-core fails", str(failed)[:300])


def _spoiled(survey_core: Oracle, pair: Pair, made: Form) -> Outcome:
    """It must be refused at its place, or what was sent must be gone."""
    ours, stored = _crash_told(made, pair, pair.data)
    rest = without(pair.data, pair.wrong)
    if all(any(is_below(path, (place,)) for path, _ in ours) for place in pair.wrong):
        found = _judged(survey_core, Pair(pair.definition, rest, language=pair.language), made)
        why = "refused where it stands"
    elif pair.recomputed and (ours or all(at(stored, one) != at(pair.data, one) for one in pair.wrong)):
        found = _judged(survey_core, pair, made, rest)
        why = "computed anew"
    else:
        return Outcome(False, "taken from a client", f"{pair.wrong} {ours[:3]}", taken=True)
    return Outcome(found.agrees, found.cause, found.detail, why)


def _judged(survey_core: Oracle, pair: Pair, made: Form, theirs: Json | None = None) -> Outcome:
    """`theirs`: what survey-core gets, if not the same."""
    data, theirs = pair.data, pair.data if theirs is None else theirs
    language = choose([pair.language], made.languages, made.context.language) if pair.language else None
    left: list[str] = []
    for _ in range(_AGAIN):
        verdict = survey_core.judge(pair.definition, theirs, NOW.timestamp() * 1000, language)
        ours, stored = _crash_told(made, pair, data)
        unknown = [path for path, said in ours if _is_not_offered(path, said, verdict)]
        if not unknown:
            break
        left += unknown
        data, theirs = without(data, unknown), without(theirs, unknown)
    found = _compared(ours, stored, verdict)
    if not left:
        return found
    detail = f"without {left}: {found.detail}" if found.detail else ""
    return Outcome(found.agrees, found.cause, detail, "choice that is not offered")


def _crash_told(made: Form, pair: Pair, data: Json) -> tuple[list[Fault], Json]:
    """A fault of ours is told with its seed, beside the others."""
    try:
        return _ours(made, pair, data)
    except Exception as crashed:
        return [("", f"we crash: {crashed!r}")], {}


def _ours(made: Form, pair: Pair, data: Json) -> tuple[list[Fault], Json]:
    try:
        return [], check_answers(made, data, NOW, [pair.language])
    except Invalid as refused:
        return [(one.path, one.message) for one in refused.errors], {}


def _is_not_offered(path: str, said: str, verdict: Verdict) -> bool:
    """Whether we refused a choice that survey-core does not offer either: it would not be on the page."""
    if not (said.startswith(NOT_A_CHOICE[0]) and said.endswith(NOT_A_CHOICE[1])):
        return False
    value = said.removeprefix(NOT_A_CHOICE[0]).removesuffix(NOT_A_CHOICE[1])
    offered = _choices(path, verdict)
    return offered is not None and value not in offered


def _choices(path: str, verdict: Verdict) -> set[str] | None:
    """As texts; of the question around for an item of an array. None where survey-core has no question."""
    around = path.rpartition("/")[0]
    for place in (path, around, around.rpartition("/")[0] if path.endswith("/value") else ""):
        if place in verdict.choices:
            return {_shown(value) for value in verdict.choices[place]}
    return None


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _compared(ours: list[Fault], stored: Json, verdict: Verdict) -> Outcome:
    theirs: list[Fault] = [(path, said) for path, said in verdict.faults]
    detail = f"only we: {_other(ours, theirs)}; only survey-core: {_other(theirs, ours)}"
    if bool(ours) == verdict.valid:
        return Outcome(False, "we refuse" if ours else "we accept", detail)
    if not ours and not theirs:
        return _data(stored, verdict.data)
    if sorted(path for path, _ in ours) != sorted(path for path, _ in theirs):
        return Outcome(False, "other places", detail)
    if sorted(ours) != sorted(theirs):
        return Outcome(False, "other words", detail)
    return Outcome(True, "same faults")


def _other(some: list[Fault], others: list[Fault]) -> list[Fault]:
    return [one for one in some if one not in others]


def _data(stored: Json, theirs: Json) -> Outcome:
    ours, theirs = _told(stored, theirs), _told(theirs, stored)
    if ours == theirs:
        return Outcome(True, "same data")
    detail = "; ".join(
        f"{name}: ours {ours.get(name)!r}, survey-core's {theirs.get(name)!r}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    )
    return Outcome(False, "other data", detail)


def _told(data: Json, others: Json) -> Json:
    """Without totals that survey-core writes or not by what was there first: those of nothing but zeros, and
    those of a matrix that went, where it alone has them (docs/forms.md, "Conditions")."""
    whole: Json = plain(data)
    return {
        name: value
        for name, value in whole.items()
        if not name.endswith(TOTALS)
        or (_says_something(value) and (name in others or name[: -len(TOTALS)] in whole))
    }


def _says_something(totals: Json) -> bool:
    return any(value != Number(0) for value in totals.values())


@dataclass(frozen=True, slots=True)
class Number:
    """JSON knows one kind of number; and to Python, 1 is True."""

    value: float

    def __repr__(self) -> str:
        return f"{self.value:.15g}"


def plain(value: Any) -> Any:
    """Without what is empty; a choice that has no comment is its value, as we store it. What is equal after
    this is of the same JSON types: 5 is not "5", and 1 not true."""
    return _typed(settled(_plain(settled(value))))


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return Number(value) if isinstance(value, float) else value


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        found = [
            item["value"] if isinstance(item, dict) and list(item) == ["value"] else _plain(item)
            for item in value
        ]
        return found if any(item != {} for item in found) else []
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value
