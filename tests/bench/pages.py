"""Do pages of 100,000 responses cost what pages of 1,000 cost? Through nginx, alternating between the two."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.bench import fill, report
from tests.running import running

SIZES = (1_000, 100_000)
REQUESTS = 150
P95_MS = 50.0
RATIO = 1.5
REFUSED = 30.0
"""Seconds that a refused page counts, so that it cannot pass for a fast one."""

UNEQUAL = {"filter held by 0.5 %"}
"""Of 1,000 responses 5 hold it, of 100,000 a page of 50 does: two sizes of page, so no ratio."""

Ask = Callable[[], dict[str, str]]
"""The parameters of the next request."""


def run(requests: int = REQUESTS) -> dict[str, Any]:
    with running() as appliance, appliance.client(appliance.login()) as client:
        about, notes, forms = report.machine(), {}, {}
        for size in SIZES:
            forms[size] = fill.publish(client)
            seconds = fill.fill(appliance.settings, forms[size], size)
            notes[f"filled {size:,}"] = f"{seconds:.1f} s, {size / seconds:,.0f}/s"
        rows, aims = [], []
        for kind in KINDS:
            measured = _measure(client, forms, kind, requests)
            rows += [{"page": kind, "rows": size, **report.milliseconds(measured[size])} for size in SIZES]
            aims += _judge(kind, measured)
        return {"machine": about, "notes": notes, "rows": rows, "aims": aims}


def _measure(client: httpx.Client, forms: dict[int, str], kind: str, requests: int) -> dict[int, list[float]]:
    asks = {size: KINDS[kind](client, form_id, random.Random(7)) for size, form_id in forms.items()}
    found: dict[int, list[float]] = {size: [] for size in forms}
    for turn in range(requests + 5):
        for size, form_id in forms.items():
            parameters = asks[size]()
            started = time.perf_counter()
            answer = client.get(_path(form_id), params=parameters)
            took = time.perf_counter() - started
            if turn >= 5:  # the first warm up
                found[size].append(took if answer.status_code == 200 else REFUSED)
    return found


def _judge(kind: str, measured: dict[int, list[float]]) -> list[dict[str, Any]]:
    small, large = (report.milliseconds(measured[size])["p95"] for size in SIZES)
    aims = [
        {"aim": f"{kind}: p95 < {P95_MS:g} ms at 100,000", "measured": f"{large} ms", "pass": large < P95_MS}
    ]
    if kind not in UNEQUAL:
        aims.append(
            {
                "aim": f"{kind}: p95 ≤ {RATIO}× of that at 1,000",
                "measured": f"{large / small:.2f}×",
                "pass": large <= RATIO * small,
            }
        )
    return aims


def _path(form_id: str) -> str:
    return f"/api/v1/forms/{form_id}/responses"


def _first(client: httpx.Client, form_id: str, chance: random.Random) -> Ask:
    return dict


def _cursor(client: httpx.Client, form_id: str, chance: random.Random) -> Ask:
    """Cursors of places all over the list, gathered by one walk in large steps."""
    cursors: list[str] = []
    parameters = {"limit": "200"}
    while True:
        following = client.get(_path(form_id), params=parameters).raise_for_status().json()["next_cursor"]
        if following is None:
            break
        cursors.append(following)
        parameters["cursor"] = following
    return lambda: {"cursor": chance.choice(cursors)}


def _times(client: httpx.Client, form_id: str, chance: random.Random) -> Ask:
    """Two random moments of the form's life."""
    moments: list[str] = []
    parameters = {"limit": "200"}
    while True:
        page = client.get(_path(form_id), params=parameters).raise_for_status().json()
        moments += [row["created_at"] for row in page["responses"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]

    def ask() -> dict[str, str]:
        start, end = sorted(chance.sample(moments, 2))
        return {"from": start, "to": end}

    return ask


def _city(client: httpx.Client, form_id: str, chance: random.Random) -> Ask:
    return lambda: {"filter.city": chance.choice(fill.CITIES)}


def _badge(client: httpx.Client, form_id: str, chance: random.Random) -> Ask:
    return lambda: {"filter.badge": chance.choice(fill.BADGES)}


KINDS: dict[str, Callable[[httpx.Client, str, random.Random], Ask]] = {
    "first page": _first,
    "page at a random cursor": _cursor,
    "between two times": _times,
    "filter held by 10 %": _city,
    "filter held by 0.5 %": _badge,
}
