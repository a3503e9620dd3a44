"""`scripts/bench http`: what a request costs, beside Flask under Gunicorn and a naive Litestar.

All sides run on one machine at once, beside the same MongoDB and Redis, one server process each, asked over
Unix sockets by 32 connections, in turn, round by round; a figure is the median of its rounds. CPU is that of
the server's own processes, not of its databases. Loopback, so no figure has a network in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pymongo

from appliance import addresses
from tests.bench import flows, h2load
from tests.bench.h2load import Result, Target
from tests.bench.sides import SUBMISSION, House, Side, peer
from tests.running import running


@dataclass(frozen=True, slots=True)
class Case:
    """One row: a side doing one kind of work."""

    work: str
    side: str
    target: Target
    mains: Callable[[], list[int]]
    rate: float = 0


class Row(msgspec.Struct):
    work: str
    side: str
    result: Result


class Aim(msgspec.Struct):
    """A promise and what came of it."""

    aim: str
    measured: str
    passed: bool


class Report(msgspec.Struct):
    machine: dict[str, str | float]
    rows: list[Row]
    inserts: float
    """Single journaled inserts a second by one client as pymongo makes it (with retryWrites)."""
    aims: list[Aim]


READ, PUBLIC, SUBMIT = "cached GET of 2 KB", "public form", "submit of 1 KB"
EVENLY = "cached GET, 200/s"


def measure(rounds: int, seconds: int) -> Report:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        house = House(stack.enter_context(running()))
        peers = [stack.enter_context(peer(name, house, scratch)) for name in ("flask", "litestar")]
        cases = _cases(house, peers)
        results: dict[int, list[Result]] = {number: [] for number in range(len(cases))}
        for turn in range(-1, rounds):
            for number, case in enumerate(cases):
                done = h2load.round_of(case.target, case.mains, 1 if turn < 0 else seconds, rate=case.rate)
                _tell(turn, case, done)
                if turn >= 0:  # the first warms up
                    results[number].append(done)
        rows = [Row(case.work, case.side, h2load.median(results[n])) for n, case in enumerate(cases)]
        inserts = _single_inserts(house, seconds)
        aims = [*_aims(rows, inserts), *(Aim(*each) for each in flows.judge(house))]
        return Report(h2load.machine(), rows, inserts, aims)


def _cases(house: House, peers: list[Side]) -> list[Case]:
    sides = [house.side, *peers]
    front = f"https://127.0.0.1:{house.appliance.settings.https_port}"

    def form(side: Side) -> Target:
        return Target(f"/api/v1/forms/{side.form_id}", side.socket, token=side.token)

    def answer(side: Side) -> Target:
        return Target(
            f"/api/v1/forms/{side.form_id}/responses", side.socket, token=side.token, body=SUBMISSION
        )

    def through_nginx() -> list[int]:
        return house.pids("nginx", "api")

    public = Target(f"/api/v1/forms/{house.public_id}", base=front)
    through = Target(f"/api/v1/forms/{house.form_id}", base=front, token=house.token)
    return [
        *(Case(READ, side.name, form(side), side.mains) for side in sides),
        Case(READ, "appliance, nginx and TLS", through, through_nginx),
        Case(PUBLIC, "appliance, nginx and TLS", public, through_nginx),
        *(Case(SUBMIT, side.name, answer(side), side.mains) for side in sides),
        *(Case(EVENLY, side.name, form(side), side.mains, 200) for side in peers),
        Case(EVENLY, "appliance, nginx and TLS", through, through_nginx, 200),
    ]  # fmt: skip


def _single_inserts(house: House, seconds: int) -> float:
    row = msgspec.json.decode(SUBMISSION)
    default = addresses.mongodb_uri(house.appliance.settings).replace("&retryWrites=false", "")
    with pymongo.MongoClient[dict[str, Any]](default, journal=True) as client:
        rows, done, began = client[addresses.DATABASE].peer_singles, 0, time.monotonic()
        while time.monotonic() - began < seconds:
            rows.insert_one(dict(row))
            done += 1
        return done / (time.monotonic() - began)


def _aims(rows: list[Row], inserts: float) -> list[Aim]:
    found = {(row.work, row.side): row.result for row in rows}
    ours, flask = found[READ, "appliance"].cpu, found[READ, "flask"].cpu
    taken, even = found[SUBMIT, "appliance"], found[EVENLY, "appliance, nginx and TLS"]
    failed = sum(row.result.failed for row in rows if row.side.startswith("appliance"))
    return [
        Aim("cached GET: CPU of at most 95 µs", f"{ours:.0f} µs", ours <= 95),
        Aim("cached GET: 4.5 times less CPU than Flask", f"{flask / ours:.1f} times", flask / ours >= 4.5),
        Aim(
            "submit: 3.5 times the rate of single inserts",
            f"{taken.rate / inserts:.1f} times",
            taken.rate / inserts >= 3.5,
        ),
        Aim("submit: p95 below 100 ms", f"{taken.p95:.0f} ms", taken.p95 < 100),
        Aim("200/s: p95 of at most 5 ms", f"{even.p95:.1f} ms", even.p95 <= 5),
        Aim("no failed request", str(failed), failed == 0),
    ]


def _tell(turn: int, case: Case, done: Result) -> None:
    name = "warm-up" if turn < 0 else f"round {turn + 1}"
    print(f"{name}: {case.work}, {case.side}: {done.cpu:.0f} µs, {done.rate:.0f}/s", file=sys.stderr)


def print_report(report: Report) -> None:
    print("  ".join(f"{name}: {value}" for name, value in report.machine.items()))
    print(f"\n{'':44} CPU µs  ratio     rate/s    p50 ms   p95 ms   p99 ms")
    ours = {row.work: row.result for row in reversed(report.rows) if row.side.startswith("appliance")}
    for row in report.rows:
        result = row.result
        print(
            f"{row.work + ', ' + row.side:44} {result.cpu:6.0f} {result.cpu / ours[row.work].cpu:6.2f} "
            f"{result.rate:10.0f} {result.p50:9.1f} {result.p95:8.1f} {result.p99:8.1f}"
            + (f"  failed: {result.failed} {result.statuses}" if result.failed else "")
        )
    print(f"{'single journaled insert, one client':44} {'':13} {report.inserts:10.0f}\n")
    for aim in report.aims:
        print(f"{'pass' if aim.passed else 'FAIL'}  {aim.aim}: {aim.measured}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench http", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each side in each round")
    parser.add_argument("--json", action="store_true", help="machine-readable, on standard output")
    asked = parser.parse_args()
    report = measure(asked.rounds, asked.seconds)
    if asked.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    else:
        print_report(report)


if __name__ == "__main__":
    main()
