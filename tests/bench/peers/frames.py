"""pandas or Polars over the lake's files: `python frames.py pandas|polars LAKE`.

A line names a question; the answer is `{"seconds": …, "rows": …}`, of reading the columns that it needs and
working it out. It stands alone in an environment of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Pandas:
    def __init__(self, lake: Path) -> None:
        import pandas

        self._pandas, self._lake = pandas, lake

    def _read(self, table: str, *columns: str) -> Any:
        files = sorted((self._lake / table).rglob("*.parquet"))
        parts = [self._pandas.read_parquet(file, columns=list(columns)) for file in files]
        return self._pandas.concat(parts, ignore_index=True)

    def daily(self) -> Any:
        found = self._read("responses", "form_id", "created_at", "completion_time")
        found["date"] = found.created_at.dt.floor("D")
        grouped = found.groupby(["form_id", "date"]).completion_time
        return self._pandas.concat(
            [grouped.size(), grouped.mean(), grouped.quantile(0.5), grouped.quantile(0.95)], axis=1
        )

    def activity(self) -> Any:
        found = self._read("responses", "created_at")
        return found.groupby(found.created_at.dt.floor("h")).size()

    def statuses(self) -> Any:
        return self._read("responses", "form_id", "status").groupby(["form_id", "status"]).size()

    def simple(self) -> Any:
        return self._read("responses", "form_id").groupby("form_id").size()

    def join(self) -> Any:
        found = self._read("responses", "response_id", "form_id")
        found = found.merge(self._read("forms", "form_id", "title"), on="form_id")
        found = found.merge(self._read("ai_results", "response_id", "sentiment"), on="response_id")
        return found.groupby(["title", "sentiment"]).size()

    def window(self) -> Any:
        found = self._read("responses", "form_id", "created_at")
        counts = found.groupby(["form_id", found.created_at.dt.floor("D")]).size().reset_index(name="n")
        counts["running"] = counts.groupby("form_id").n.cumsum()
        return counts

    def scan(self) -> Any:
        found = self._read("responses", "data", "completion_time")
        n, mean = found.data.str.contains("music", regex=False).sum(), found.completion_time.mean()
        return self._pandas.DataFrame({"n": [n], "mean": [mean]})


class Polars:
    def __init__(self, lake: Path) -> None:
        import polars

        self._polars, self._lake = polars, lake

    def _scan(self, table: str) -> Any:
        return self._polars.scan_parquet(self._lake / table / "**/*.parquet")

    def daily(self) -> Any:
        col = self._polars.col
        time_taken = col("completion_time")
        return (
            self._scan("responses")
            .group_by("form_id", col("created_at").dt.truncate("1d"))
            .agg(
                total=self._polars.len(),
                avg=time_taken.mean(),
                p50=time_taken.quantile(0.5, "linear"),
                p95=time_taken.quantile(0.95, "linear"),
            )
            .collect()
        )

    def activity(self) -> Any:
        hour = self._polars.col("created_at").dt.truncate("1h")
        return self._scan("responses").group_by(hour).len().collect()

    def statuses(self) -> Any:
        return self._scan("responses").group_by("form_id", "status").len().collect()

    def simple(self) -> Any:
        return self._scan("responses").group_by("form_id").len().collect()

    def join(self) -> Any:
        return (
            self._scan("responses")
            .join(self._scan("forms"), on="form_id")
            .join(self._scan("ai_results"), on="response_id")
            .group_by("title", "sentiment")
            .len()
            .collect()
        )

    def window(self) -> Any:
        col = self._polars.col
        counts = self._scan("responses").group_by("form_id", day=col("created_at").dt.truncate("1d")).len()
        return counts.sort("day").with_columns(running=col("len").cum_sum().over("form_id")).collect()

    def scan(self) -> Any:
        n = self._polars.col("data").str.contains("music", literal=True).sum()
        mean = self._polars.col("completion_time").mean()
        return self._scan("responses").select(n=n, mean=mean).collect()


def main() -> None:
    side = {"pandas": Pandas, "polars": Polars}[sys.argv[1]](Path(sys.argv[2]))
    print("ready", flush=True)
    for line in sys.stdin:
        work: Callable[[], Any] = getattr(side, line.strip())
        begun = time.monotonic()
        rows = len(work())
        print(json.dumps({"seconds": time.monotonic() - begun, "rows": rows}), flush=True)


if __name__ == "__main__":
    main()
