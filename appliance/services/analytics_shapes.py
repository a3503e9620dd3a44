"""The JSON shapes of analytics."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct


class QueryAnswer(Struct, kw_only=True):
    """The rows of a query. What came or changed up to `as_of` is in them."""

    as_of: str
    cached: bool
    """True when it was worked out for an earlier request, at most a minute ago, or longer ago while it cannot
    be worked out anew.
    """
    rows: list[dict[str, Any]]


class DailyRow(Struct):
    """Responses of a form on a day in UTC; completion times in seconds."""

    form_id: str
    date: str
    total: int
    avg: float | None
    p50: float | None
    p95: float | None


class Daily(Struct):
    as_of: str
    cached: bool
    rows: list[DailyRow]


class ActivityRow(Struct):
    """Responses in the hour that begins then."""

    hour: str
    responses: int


class Activity(Struct):
    as_of: str
    cached: bool
    rows: list[ActivityRow]


class QueryColumn(Struct):
    name: str
    help: str


class QueryParameter(Struct):
    """Beside `form_id`, `from`, `to` and `time_zone`, which every query takes. `takes` has the kinds of
    questions, or the values, or the least and greatest number; `default` is null where it must be given.
    """

    name: str
    help: str
    takes: list[str]
    default: str | None


class Query(Struct):
    name: str
    help: str
    parameters: list[QueryParameter]
    columns: list[QueryColumn]


class Queries(Struct):
    queries: list[Query]


class AskSql(Struct, forbid_unknown_fields=True, kw_only=True):
    """One SELECT over `responses`, `forms`, `partials`, `ai_results`, `activity`."""

    sql: Annotated[str, Meta(min_length=1, max_length=10_000)]
    time_zone: Annotated[str, Meta(max_length=64)] = "UTC"
    """Of hours and days."""


class SqlAnswer(Struct, kw_only=True):
    as_of: str
    is_whole: bool
    """False when there are more rows than are sent."""
    rows: list[dict[str, Any]]


class LakeRun(Struct, kw_only=True):
    """What brought the lake up to date."""

    run_id: str
    state: Literal["asked", "running", "completed", "failed"]
    asked_at: str
    begun_at: str | None
    ended_at: str | None
    done: int
    total: int | None
    """Responses that have been read, and of how many; null until that is known."""
    result: dict[str, Any] | None
    error: str | None


class LakeRuns(Struct):
    runs: list[LakeRun]
