"""`scripts/bench analytics`: responses on their way from MongoDB into the lake, and questions to the lake.

In one run: so many responses through a real appliance's own runs, beside a client that only reads them; a
day's worth more; the questions as MongoDB's aggregations; then lakes that are made for it and asked by the
product, by DuckDB alone, by pandas and by Polars, in turn.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import analytics_extract, analytics_lake, analytics_mongo, report
from tests.bench.analytics_lake import FLOWS, RATIO, Question
from tests.running import running

MILLION = 1_000_000
Json = dict[str, Any]


class Sizes(NamedTuple):
    responses: int = MILLION
    """Through MongoDB."""
    day: int = 20_000
    mongo_rows: int = 20_000
    """That its aggregations are asked about."""
    flows_rows: int = MILLION
    """Of the flows' limits."""
    lake_rows: int = 10 * MILLION
    rounds: int = 3


def run(sizes: Sizes) -> list[Json]:
    with running() as appliance, appliance.client(appliance.login()) as client:
        taken_in = analytics_extract.measure(
            appliance, client, sizes.responses, sizes.day, min(2, sizes.rounds)
        )
        form_id = client.get("/api/v1/forms").json()["forms"][0]["form_id"]
        most = min(sizes.mongo_rows, sizes.responses // analytics_extract.FORMS)
        mongo = analytics_mongo.measure(appliance, form_id, most, 1)
    questions = analytics_lake.flows_questions() | analytics_lake.named_questions()
    with tempfile.TemporaryDirectory() as folder:
        often = sizes._replace(rounds=3 * sizes.rounds)  # of some milliseconds, three say little
        small = _questions(Path(folder) / "small", sizes.flows_rows, often, questions, (mongo, most))
        large = _questions(Path(folder) / "large", sizes.lake_rows, sizes, questions, ({}, 0))
    return [taken_in, small | {"aims": small["aims"] + _limits(small, sizes.flows_rows)}, large]


def _questions(
    folder: Path, rows: int, sizes: Sizes, questions: dict[str, Question], mongo: tuple[Json, int]
) -> Json:
    about = report.machine()
    lake = analytics_lake.make(folder, rows, min(rows, MILLION))
    size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    found = analytics_lake.measure(lake, sizes.rounds, questions)
    told = [_row(name, times, mongo[0].get(name, "")) for name, times in found.items()]
    return {
        "machine": about,
        "notes": {
            "lake": f"{rows:,} responses, {size / 1e6:.0f} MB; milliseconds, the median of {sizes.rounds}"
        }
        | ({"MongoDB": f"over {mongo[1]:,} responses"} if mongo[1] else {}),
        "rows": told,
        "aims": [
            {
                "aim": f"{rows:,}, {row['what']}: ≤ {RATIO}× DuckDB",
                "measured": f"{row['of DuckDB']}×",
                "pass": row["of DuckDB"] <= RATIO,
            }
            for row in told
        ],
    }


def _row(name: str, times: dict[str, float], mongo: Any) -> Json:
    return {
        "what": name,
        "product": times["product"],
        "DuckDB": times["DuckDB"],
        "of DuckDB": round(times["product"] / times["DuckDB"], 2),
        "DuckDB, all CPUs": times["DuckDB, all CPUs"],
        "Polars": times.get("polars", ""),
        "pandas": times.get("pandas", ""),
        "MongoDB": mongo,
    }


def _limits(small: Json, rows: int) -> list[Json]:
    times = {row["what"]: row["product"] for row in small["rows"]}
    return [
        {
            "aim": f"{rows:,}, {name}: ≤ {limit:g} ms",
            "measured": f"{times[name]} ms",
            "pass": times[name] <= limit,
        }
        for name, (_, limit) in FLOWS.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench analytics", description="Into the lake and out of it."
    )
    sizes = Sizes()
    for name in Sizes._fields:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(sizes, name))
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    chosen = vars(parser.parse_args())
    as_json = chosen.pop("json")
    parts = run(Sizes(**chosen))
    if as_json:
        print(json.dumps(parts, indent=2))
    else:
        for part in parts:
            report.show(part, as_json=False)
            print()
    return 0 if all(aim["pass"] for part in parts for aim in part["aims"]) else 1


if __name__ == "__main__":
    sys.exit(main())
