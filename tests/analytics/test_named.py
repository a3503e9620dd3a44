"""Each named query says what a loop over the responses says, whatever came, and however the lake holds it."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
import re
import tempfile
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from appliance.analytics import answers, asking, days, engine, hot, named, rows
from appliance.analytics.asking import Scope
from appliance.analytics.lake import Lake
from appliance.analytics.tables import TABLES
from appliance.domain.columns import Column, ColumnMap, Table
from appliance.settings import HOME

Row = dict[str, Any]

CITIES = ("Zürich", "it's", 'a "b" c', "東京", "")
DISHES = ("soup", "fish", "crème brûlée")
ODD = """who's "it"? é.1"""
COLUMNS = ColumnMap(
    Table(
        "",
        (
            Column((ODD,), "number"),
            Column(("city",), "choice", {each: each for each in CITIES}),
            Column(("dishes",), "choices", {each: each for each in DISHES}),
            Column(("boxed",), "choices", {each: each for each in DISHES}, wrapped="v"),
            Column(("ok",), "boolean"),
            Column(("nps",), "choice"),
            Column(("grid", "Größe"), "choice", {"a": "a", "b": "b"}),
            Column(("grid", "R.2"), "choices", {"a": "a", "b": "b"}),
            Column(("grid", "r.2"), "number"),  # of a name that DuckDB does not tell from the one before
            Column(("words",), "text"),
        ),
    )
)
HOT = hot.columns(COLUMNS)
QUESTIONS = answers.questions(COLUMNS)
ODD_NAME = Column((ODD,), "number").name
KEYS = {ODD_NAME: ODD}
"""Of answers, where they are not called like the column."""
SPRING, AUTUMN = dt.datetime(2026, 3, 28, 22, tzinfo=dt.UTC), dt.datetime(2026, 10, 24, 22, tzinfo=dt.UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")


class World(NamedTuple):
    """What happened, and what is asked about."""

    responses: list[Row]
    """As they are now, deleted ones too."""
    old: list[Row]
    """As the lake has those that it has."""
    fresh: list[Row]
    typed: frozenset[dt.date]
    """Days with typed columns of both forms."""
    tables: dict[str, list[Row]]
    scope: Scope

    @property
    def seen(self) -> list[Row]:
        return [
            row
            for row in self.responses
            if row["status"] != "deleted" and self.sees(row) and self.is_within(row)
        ]

    def sees(self, row: Row) -> bool:
        return self.scope.forms is None or row["form_id"] in self.scope.forms

    def is_within(self, row: Row) -> bool:
        start, end, at = self.scope.start, self.scope.end, row["created_at"]
        return (start is None or at >= start) and (end is None or at < end)

    def of(self, name: str) -> list[Row]:
        """Of a table: what is seen."""
        if name == "activity":
            return [
                row
                for row in self.tables[name]
                if self.scope.users is None or row["user_id"] in self.scope.users
            ]
        found = [row for row in self.tables[name] if self.sees(row)]
        return [row for row in found if self.is_within(row)] if name == "partials" else found

    def local(self, row: Row) -> dt.datetime:
        at: dt.datetime = row["created_at"].astimezone(zoneinfo.ZoneInfo(self.scope.time_zone))
        return at


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


MOMENTS = st.builds(
    lambda start, minutes: start + dt.timedelta(minutes=minutes),
    st.sampled_from([SPRING, AUTUMN]),
    st.integers(-3000, 20000),
)
NUMBERS = st.one_of(st.integers(-5, 12), st.floats(-1e6, 1e6).map(lambda number: round(number, 3)))
LISTS = st.lists(st.sampled_from(DISHES), max_size=3, unique=True)
DATA = st.fixed_dictionaries(
    {},
    optional={
        ODD: optional(NUMBERS),
        "city": optional(st.sampled_from([*CITIES, "other", 7, 2.5])),
        "dishes": optional(LISTS),
        "boxed": LISTS.map(lambda each: [{"v": one, "more": 1} for one in each]),
        "ok": optional(st.booleans()),
        "nps": optional(st.sampled_from([*range(12), "9", "no", 7.5])),
        "grid": st.fixed_dictionaries(
            {},
            optional={
                "Größe": optional(st.sampled_from("ab")),
                "R.2": optional(st.lists(st.sampled_from("ab"), max_size=2, unique=True)),
                "r.2": optional(NUMBERS),
            },
        ),
        "words": st.sampled_from(["=1+1", "a\x00b", "\\ \" ' $1"]),
    },
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    made = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "form_id": st.sampled_from(["f", "f", "g'"]),
                    "created_at": MOMENTS,
                    "submitter": st.sampled_from([None, "u1", "u2"]),
                    "status": st.sampled_from(["accepted", "accepted", "flagged", "archived"]),
                    "data": DATA,
                    "time": optional(st.floats(0, 9000).map(lambda number: round(number, 2))),
                    "fate": st.sampled_from(["kept", "kept", "kept", "edited", "deleted", "late"]),
                    "later": DATA,
                }
            ),
            max_size=40,
        )
    )
    now, old, fresh = [], [], []
    for number, each in enumerate(made):
        row = {
            **{name: each[name] for name in ("form_id", "created_at", "submitter", "status", "data")},
            "_id": f"r{number}", "form_version": 1, "updated_at": each["created_at"], "tags": [],
            "seq": number, "revision": 1, "meta": {"completion_time": each["time"]},
        }  # fmt: skip
        latest = row
        if each["fate"] == "edited":
            latest = row | {"revision": 2, "data": each["later"]}
        elif each["fate"] == "deleted":
            latest = row | {"revision": 2, "status": "deleted"}
        now.append(latest)
        old += [row] if each["fate"] != "late" else []
        fresh += [latest] if each["fate"] != "kept" else []
    dates = sorted({row["created_at"].date() for row in old})
    return World(
        now,
        old,
        fresh,
        frozenset(draw(st.sets(st.sampled_from(dates)))) if dates else frozenset(),
        draw(tables([row["_id"] for row in now])),
        Scope(
            draw(st.sampled_from([None, ["f"], ["g'"], ["f", "g'"], []])),
            draw(optional(MOMENTS)),
            draw(optional(MOMENTS)),
            draw(st.sampled_from(ZONES)),
            draw(st.sampled_from([None, ["u1"], []])),
        ),
    )


@st.composite
def tables(draw: st.DrawFn, ids: list[str]) -> dict[str, list[Row]]:
    form = st.sampled_from(["f", "g'", "h"])
    partials = st.fixed_dictionaries(
        {
            "form_id": form,
            "state": st.sampled_from(["open", "submitted", "expired", "withdrawn"]),
            "page": st.sampled_from([None, "Seite 1", "2"]),
            "created_at": MOMENTS,
        }
    )
    feelings = st.sampled_from(["positive", "neutral", "negative", "unsure"])
    found = draw(st.dictionaries(st.sampled_from([*ids, "gone"]), feelings)) if ids else {}
    activity = st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["u1", "u2"]),
            "date": st.dates(dt.date(2026, 3, 1), dt.date(2026, 3, 9)),
            "action": st.sampled_from(["form.published", "response.submitted"]),
            "count": st.integers(1, 9),
        }
    )
    return {
        "forms": [
            {"form_id": each, "title": f"The {each} ü", "state": "published"}
            for each in draw(st.sets(st.sampled_from(["f", "g'", "h"])))
        ],
        "partials": draw(st.lists(partials, max_size=12)),
        "ai_results": [{"response_id": one, "sentiment": feeling} for one, feeling in found.items()],
        "activity": draw(st.lists(activity, max_size=12)),
    }


def dense() -> World:
    """Many responses on each day, of everything: what few of them may not tell."""
    dice = random.Random(8)

    def data() -> Row:
        given = {
            ODD: dice.choice([None, dice.gauss(9, 6)]),
            "city": dice.choice([None, *CITIES, "other", 7]),
            "dishes": dice.choice([None, dice.sample(DISHES, dice.randrange(4))]),
            "boxed": [{"v": one} for one in dice.sample(DISHES, dice.randrange(4))],
            "ok": dice.choice([None, True, False]),
            "nps": dice.choice([None, *range(12), "no"]),
            "grid": {"Größe": dice.choice("ab"), "R.2": dice.sample("ab", dice.randrange(3)), "r.2": 2},
        }
        return {name: value for name, value in given.items() if dice.random() < 0.9}

    every = []
    for number in range(500):
        at = SPRING + dt.timedelta(minutes=dice.randrange(-3000, 30000))
        row = {
            "_id": f"r{number}", "form_id": dice.choice("fffg").replace("g", "g'"), "form_version": 1,
            "created_at": at, "updated_at": at, "submitter": dice.choice([None, "u1", "u2", "u3"]),
            "tags": [], "status": dice.choice(["accepted", "flagged", "archived"]), "seq": number,
            "revision": 1, "data": data(),
            "meta": {"completion_time": dice.choice([None, dice.uniform(1, 900)])},
        }  # fmt: skip
        every.append(row)
    changed = [
        row | {"revision": 2, "data": data(), "status": dice.choice(["deleted", "accepted"])}
        for row in every[:90]
    ]
    states, feelings = (
        ["open", "submitted", "expired", "withdrawn"],
        ["positive", "neutral", "negative", "unsure"],
    )
    partials = [
        {
            "form_id": "f",
            "state": dice.choice(states),
            "page": dice.choice([None, "1", "2"]),
            "created_at": row["created_at"],
        }
        for row in every[::3]
    ]
    actions = [
        {
            "user_id": dice.choice(["u1", "u2"]),
            "date": dt.date(2026, 4, day),
            "action": "form.published",
            "count": day,
        }
        for day in range(1, 30)
    ]
    return World(
        changed + every[90:],
        every[:470],
        changed + every[470:],
        frozenset(SPRING.date() + dt.timedelta(days=day) for day in range(0, 20, 2)),
        {
            "forms": [{"form_id": "f", "title": "F", "state": "published"}],
            "partials": partials,
            "ai_results": [
                {"response_id": row["_id"], "sentiment": dice.choice(feelings)} for row in every[::2]
            ],
            "activity": actions,
        },
        Scope(["f"], None, dt.datetime(2026, 4, 14, tzinfo=dt.UTC), "Europe/Berlin", None),
    )  # fmt: skip


@contextmanager
def filled(world: World, columns: tuple[hot.Hot, ...] = HOT) -> Iterator[Lake]:
    """A lake that a run made of it. A table without rows is not there."""
    of_form = {row["_id"]: row["form_id"] for row in world.responses}
    for row in world.tables["ai_results"]:
        row["form_id"] = of_form.get(row["response_id"], "f")
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        lake.folder.mkdir()
        for name, found in world.tables.items():
            if found:
                (lake.folder / name).mkdir()
                table = pa.Table.from_pylist(found, TABLES[name])
                pq.write_table(table, lake.folder / name / f"{name}.parquet")
        if world.old:
            with engine.opened(lake.folder) as connection, lake.working() as work:
                spills = [days.spilled(work, [rows.table(world.old)], 0)]
                for period in sorted(days.touched(lake, spills)):
                    is_typed = period.first in world.typed
                    found_hot = dict.fromkeys(("f", "g'"), columns) if is_typed else {}
                    days.write(connection, lake, period, spills, found_hot)
        yield lake


def ask(
    lake: Lake,
    world: World,
    name: str,
    scope: Scope,
    *asked: str,
    mark: str = hot.fingerprint(HOT),
    **given: str,
) -> list[Row]:
    query = named.queries()[name]
    values = {
        one.name: one.value(given.get(one.name))
        for one in query.parameters
        if one.name not in named.QUESTIONS
    }
    about = answers.Asked("f", mark, tuple(QUESTIONS[one] for one in asked)) if asked else None
    fresh = rows.table(world.fresh) if world.fresh else None
    found = asking.ask(
        lake, query.sql, scope, fresh, is_ours=True, reads=query.reads, asked=about, parameters=values
    )
    assert all(list(row) == [column.name for column in query.columns] for row in found), name
    return found


# -- what a loop says


def quantile(numbers: list[float], part: float) -> float | None:
    if not numbers:
        return None
    place = (len(numbers) - 1) * part
    low = math.floor(place)
    first, second = sorted(numbers)[low], sorted(numbers)[math.ceil(place)]
    return first + (second - first) * (place - low)


def mean(numbers: list[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def grouped(found: list[Row], key: Callable[[Row], Any]) -> list[tuple[Any, list[Row]]]:
    """In the order of the key, null last."""

    def place(row: Row) -> Any:
        return ordered(key(row))

    return [
        (key(group[0]), group)
        for _, each in itertools.groupby(sorted(found, key=place), place)
        if (group := list(each))
    ]


def ordered(key: Any) -> Any:
    parts = key if isinstance(key, tuple) else (key,)
    return [(part is None, part if part is not None else 0) for part in parts]


def times(found: list[Row]) -> list[float]:
    return [row["meta"]["completion_time"] for row in found if row["meta"]["completion_time"] is not None]


def daily(world: World) -> list[Row]:
    return [
        {
            "form_id": form, "date": day.isoformat(), "total": len(group), "avg": mean(times(group)),
            "p50": quantile(times(group), 0.5), "p95": quantile(times(group), 0.95),
        }
        for (form, day), group in grouped(world.seen, lambda row: (row["form_id"], row["created_at"].date()))
    ]  # fmt: skip


def activity(world: World) -> list[Row]:
    def hour(row: Row) -> dt.datetime:
        """Its beginning as a moment: when clocks go back there are two of a name."""
        at: dt.datetime = row["created_at"] - dt.timedelta(minutes=world.local(row).minute)
        return at.replace(second=0, microsecond=0)

    zone = zoneinfo.ZoneInfo(world.scope.time_zone)
    return [
        {"hour": at.astimezone(zone).isoformat(), "responses": len(group)}
        for at, group in grouped(world.seen, hour)
    ]


def statuses(world: World) -> list[Row]:
    return [
        {"form_id": form, "status": status, "responses": len(group)}
        for (form, status), group in grouped(world.seen, lambda row: (row["form_id"], row["status"]))
    ]


def trend(world: World) -> list[Row]:
    per_day = Counter((row["form_id"], world.local(row).date()) for row in world.seen)
    return [
        {
            "form_id": form, "date": day.isoformat(), "responses": count,
            "total": sum(n for (one, at), n in per_day.items() if one == form and at <= day),
            "average": sum(per_day[form, day - dt.timedelta(days=back)] for back in range(7)) / 7,
        }
        for (form, day), count in sorted(per_day.items())
    ]  # fmt: skip


def pages(world: World) -> list[Row]:
    submitted = Counter(row["form_id"] for row in world.seen)
    stopped = [row for row in world.of("partials") if row["state"] != "submitted"]
    of_form = Counter(row["form_id"] for row in stopped)
    found = []
    for (form, page), group in grouped(stopped, lambda row: (row["form_id"], row["page"])):
        every = submitted[form] + of_form[form]
        found.append(
            {
                "form_id": form, "page": page, "stopped": len(group),
                "open": sum(row["state"] == "open" for row in group),
                "share": len(group) / every, "completion": submitted[form] / every,
            }
        )  # fmt: skip
    nobody = {"page": None, "stopped": 0, "open": 0, "share": 0.0, "completion": 1.0}
    found += [{"form_id": form, **nobody} for form in submitted if form not in of_form]
    return sorted(found, key=lambda row: (row["form_id"], -row["stopped"], ordered(row["page"])))


def funnel(world: World) -> list[Row]:
    found = []
    for (form, day), group in grouped(
        world.of("partials"), lambda row: (row["form_id"], world.local(row).date())
    ):
        states = Counter(row["state"] for row in group)
        counts = {state: states[state] for state in ("submitted", "expired", "withdrawn", "open")}
        rate = states["submitted"] / len(group)
        found.append({"form_id": form, "date": day.isoformat(), "begun": len(group), **counts, "rate": rate})
    return found


def first_day(at: dt.datetime, period: str) -> dt.date:
    day = at.date()
    return {"day": day, "week": day - dt.timedelta(days=day.weekday()), "month": day.replace(day=1)}[period]


def cohorts(world: World, period: str) -> list[Row]:
    came = {(row["submitter"], first_day(world.local(row), period)) for row in world.seen if row["submitter"]}
    cohort = {who: min(day for one, day in came if one == who) for who, _ in came}
    counts = Counter((cohort[who], day) for who, day in came)
    return [
        {"cohort": f"{one}", "period": f"{day}", "people": count, "share": count / counts[one, one]}
        for (one, day), count in sorted(counts.items())
    ]


def sentiment(world: World, period: str) -> list[Row]:
    said = {row["response_id"]: row["sentiment"] for row in world.of("ai_results")}
    analyzed = [row for row in world.seen if row["_id"] in said]
    found = []
    for (form, day), group in grouped(
        analyzed, lambda row: (row["form_id"], first_day(world.local(row), period))
    ):
        counts = Counter(said[row["_id"]] for row in group)
        each = {feeling: counts[feeling] for feeling in ("positive", "neutral", "negative", "unsure")}
        balance = (counts["positive"] - counts["negative"]) / len(group)
        found.append({"form_id": form, "date": f"{day}", "analyzed": len(group), **each, "balance": balance})
    return found


def users(world: World) -> list[Row]:
    start, end = world.scope.start, world.scope.end
    seen = [
        row
        for row in world.of("activity")
        if (start is None or row["date"] >= start.date())
        and (end is None or row["date"] <= (end - dt.timedelta(microseconds=1)).date())
    ]
    return [
        {
            "user_id": user, "action": action, "count": sum(row["count"] for row in group),
            "days": len({row["date"] for row in group}), "first": f"{min(row['date'] for row in group)}",
            "last": f"{max(row['date'] for row in group)}",
        }
        for (user, action), group in grouped(seen, lambda row: (row["user_id"], row["action"]))
    ]  # fmt: skip


def overview(world: World) -> list[Row]:
    said = {row["response_id"]: row["sentiment"] for row in world.of("ai_results")}
    zone = zoneinfo.ZoneInfo(world.scope.time_zone)
    found = []
    for form in sorted(world.of("forms"), key=lambda row: str(row["form_id"])):
        mine = [row for row in world.seen if row["form_id"] == form["form_id"]]
        feelings = Counter(said[row["_id"]] for row in mine if row["_id"] in said)
        last = max((row["created_at"] for row in mine), default=None)
        found.append(
            {
                **{name: form[name] for name in ("form_id", "title", "state")}, "responses": len(mine),
                "last": last and last.astimezone(zone).isoformat(), "avg": mean(times(mine)),
                "analyzed": feelings.total(), "positive": feelings["positive"],
                "negative": feelings["negative"],
            }
        )  # fmt: skip
    return found


def said(row: Row, name: str) -> list[Any]:
    """What was chosen, as its column has it; nothing without an answer."""
    value = row["data"].get(KEYS.get(name, name))
    if value is None:
        return []
    if isinstance(value, list):
        return [one["v"] if isinstance(one, dict) else one for one in value]
    return [str(value)] if QUESTIONS[name].kind == "choice" else [value]


def number(row: Row, name: str) -> float | None:
    try:
        return float(row["data"].get(KEYS.get(name, name)))
    except (TypeError, ValueError):
        return None


def choices(found: list[Row], name: str) -> list[Row]:
    counts = Counter(each for row in found for each in said(row, name))
    people = sum(bool(said(row, name)) for row in found)
    every = {*counts, *QUESTIONS[name].parts[0].column.choices}
    told = [
        {"answer": one, "responses": counts[one], "share": counts[one] / people if people else None}
        for one in every
    ]
    return sorted(told, key=lambda row: (-row["responses"], row["answer"]))


def booleans(found: list[Row], name: str) -> list[Row]:
    counts = Counter(row["data"].get(name) for row in found)
    answered = counts[True] + counts[False]
    share = counts[True] / answered if answered else None
    return [{"yes": counts[True], "no": counts[False], "missing": counts[None], "share": share}]


def numbers(found: list[Row], name: str) -> list[Row]:
    given = [each for row in found if (each := number(row, name)) is not None]
    return [
        {
            "answered": len(given), "missing": len(found) - len(given), "min": min(given, default=None),
            "max": max(given, default=None), "mean": mean(given),
            **{f"p{part}": quantile(given, part / 100) for part in (25, 50, 75)},
        }
    ]  # fmt: skip


def histogram(found: list[Row], name: str, bins: str) -> list[Row]:
    given = [each for row in found if (each := number(row, name)) is not None]
    if not given:
        return []
    low, high = min(given), max(given)
    count = int(bins) if high > low else 1
    width = (high - low) / count
    places = Counter(min(math.floor((each - low) / width), count - 1) if width else 0 for each in given)
    return [
        {
            "low": low + place * width, "high": high if place == count - 1 else low + (place + 1) * width,
            "responses": places[place],
        }
        for place in range(count)
    ]  # fmt: skip


def ratings(found: list[Row], name: str) -> list[Row]:
    given = [each for row in found if (each := number(row, name)) is not None]
    return [
        {"rating": rate, "responses": count, "share": count / len(given), "mean": mean(given)}
        for rate, count in sorted(Counter(given).items())
    ]


def nps(found: list[Row], name: str) -> list[Row]:
    given = [each for row in found if (each := number(row, name)) is not None and 0 <= each <= 10]
    promoters, detractors = sum(each >= 9 for each in given), sum(each < 7 for each in given)
    return [
        {
            "answered": len(given), "promoters": promoters, "passives": len(given) - promoters - detractors,
            "detractors": detractors, "score": 100 * (promoters - detractors) / len(given) if given else None,
        }
    ]  # fmt: skip


def matrix(found: list[Row], name: str) -> list[Row]:
    cells: Counter[tuple[str, str]] = Counter()
    for row in found:
        for key, value in row["data"].get(name, {}).items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    cells[
                        key.replace(".", "%2E"), f"{one:.15g}" if isinstance(one, int | float) else one
                    ] += 1
    in_row = Counter[str]()
    for (key, _), count in cells.items():
        in_row[key] += count
    told = [
        {"row": key, "answer": one, "responses": count, "share": count / in_row[key]}
        for (key, one), count in cells.items()
    ]
    return sorted(told, key=lambda row: (row["row"], -row["responses"], row["answer"]))


def crosstab(found: list[Row], name: str, by: str) -> list[Row]:
    pairs = Counter(pair for row in found for pair in itertools.product(said(row, name), said(row, by)))
    of_by = Counter[Any]()
    for (_, other), count in pairs.items():
        of_by[other] += count
    told = [
        {"answer": one, "by_answer": other, "responses": count, "share": count / of_by[other]}
        for (one, other), count in pairs.items()
    ]
    return sorted(told, key=lambda row: (row["by_answer"], -row["responses"], row["answer"]))


# -- both say the same

PLAIN: dict[str, Callable[[World], list[Row]]] = {
    "daily": daily, "activity": activity, "statuses": statuses, "trend": trend, "pages": pages,
    "funnel": funnel, "users": users, "overview": overview,
}  # fmt: skip
PERIODS: dict[str, Callable[[World, str], list[Row]]] = {"cohorts": cohorts, "sentiment": sentiment}
ABOUT: dict[str, tuple[Callable[..., list[Row]], list[tuple[str, ...]]]] = {
    "choices": (choices, [("city",), ("dishes",), ("boxed",), ("ok",), (ODD_NAME,)]),
    "booleans": (booleans, [("ok",)]),
    "numbers": (numbers, [(ODD_NAME,), ("nps",)]),
    "ratings": (ratings, [(ODD_NAME,), ("nps",)]),
    "nps": (nps, [("nps",), (ODD_NAME,)]),
    "matrix": (matrix, [("grid",)]),
    "crosstab": (crosstab, [("city", "ok"), ("dishes", "boxed"), ("ok", "dishes"), ("dishes", "dishes")]),
}


def test_all_are_told_of_here() -> None:
    assert {*PLAIN, *PERIODS, *ABOUT, "histogram"} == set(named.queries())


def test_each_says_what_it_gives_and_is_documented() -> None:
    table = re.findall(
        r"^\| `(\w+)` \|(.*?)\| .{10,} \| `(\w+)\b([^`]*)` \|$",
        (HOME / "docs" / "analytics.md").read_text(),
        re.MULTILINE,
    )
    documented = {name: (parameters, example, given) for name, parameters, example, given in table}
    assert set(documented) == set(named.queries())
    for name, query in named.queries().items():
        assert query.help.endswith(".") and query.columns and "SELECT" in query.sql
        assert all(len(one.help) > 3 for one in query.columns), name
        assert all(len(one.help) > 3 for one in query.parameters), name
        assert set(re.findall(r"\$(\w+)", query.sql)) == {
            one.name for one in query.parameters if one.name not in named.QUESTIONS
        }, name
        parameters, example, given = documented[name]
        names = [one.name for one in query.parameters]
        assert re.findall(r"`(\w+)`", parameters) == names and example == name
        told = set(re.findall(r"[?&](\w+)=", given)) - {"form_id", "from", "to", "time_zone"}
        assert told == set(names), name
        for one in query.parameters:
            if one.name in named.QUESTIONS:
                assert set(one.takes) <= {*answers.KINDS, answers.MATRIX} and one.default is None
            else:
                assert one.value(None) == one.value(one.default), name


@pytest.mark.parametrize("said", ["", "0", "101", "1.5", "-1", "٣", "1" * 40])
def test_a_number_of_a_parameter_is_within_its_bounds(said: str) -> None:
    bins = next(one for one in named.queries()["histogram"].parameters if one.name == "bins")
    assert (bins.value("1"), bins.value("100"), bins.value(None)) == (1, 100, 10)
    with pytest.raises(ValueError, match="from 1 to 100"):
        bins.value(said)


def alike(one: Any, other: Any) -> bool:
    """Sums of the same numbers in another order differ in their last digits."""
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return type(one) is type(other) and bool(one == other)


def check(found: list[Row], expected: list[Row], told: object) -> None:
    assert len(found) == len(expected), (told, found, expected)
    for one, other in zip(found, expected, strict=True):
        assert all(alike(one[name], other[name]) for name in other), (told, one, other)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
@example(dense())
def test_queries_say_what_a_loop_says(world: World) -> None:
    with filled(world) as lake:
        for name, loop in PLAIN.items():
            check(ask(lake, world, name, world.scope), loop(world), name)
        for name, by_period in PERIODS.items():
            for period in ("day", "week", "month"):
                found = ask(lake, world, name, world.scope, period=period)
                check(found, by_period(world, period), (name, period))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
@example(dense())
def test_questions_are_counted_as_a_loop_counts(world: World) -> None:
    world = world._replace(scope=world.scope._replace(forms=["f"]))
    with filled(world) as lake:
        for name, (loop, asked) in ABOUT.items():
            for each in asked:
                check(ask(lake, world, name, world.scope, *each), loop(world.seen, *each), (name, each))
        for bins in ("1", "3", "100"):
            found = ask(lake, world, "histogram", world.scope, ODD_NAME, bins=bins)
            check(found, histogram(world.seen, ODD_NAME, bins), bins)


def test_a_typed_column_that_was_made_otherwise_is_not_read() -> None:
    """As between the publishing of a version and the next run."""
    world = dense()
    other = tuple(one._replace(path=("words",)) if one.name == "q_city" else one for one in HOT)
    with filled(world, other) as lake:
        found = ask(lake, world, "choices", world.scope, "city")
    check(found, choices(world.seen, "city"), "city")
