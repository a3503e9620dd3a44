"""`python -m tests.bench engine|export|metrics|pages|search|submit [--json]`; status 1: an aim was missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from tests.bench import engine, export, metrics, pages, report, search, submit


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure a real appliance of its own.")
    parser.add_argument("what", choices=["engine", "export", "metrics", "pages", "search", "submit"])
    parser.add_argument("--rows", type=int, default=export.ROWS, help="export: how many responses")
    parser.add_argument("--rounds", type=int, default=export.ROUNDS, help="export: of each format")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    chosen = parser.parse_args()
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "engine": engine.run,
        "export": lambda: export.run(chosen.rows, chosen.rounds),
        "metrics": metrics.run,
        "pages": pages.run,
        "search": search.run,
        "submit": submit.run,
    }
    result = runs[chosen.what]()
    report.show(result, chosen.json)
    return 0 if all(aim["pass"] for aim in result["aims"]) else 1


if __name__ == "__main__":
    sys.exit(main())
