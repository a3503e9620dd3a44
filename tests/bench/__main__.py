"""`python -m tests.bench pages|submit [--json]`; exits with 1 when an aim is missed."""

from __future__ import annotations

import argparse
import sys

from tests.bench import pages, report, submit


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure a real appliance of its own.")
    parser.add_argument("what", choices=["pages", "submit"])
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    chosen = parser.parse_args()
    result = {"pages": pages.run, "submit": submit.run}[chosen.what]()
    report.show(result, chosen.json)
    return 0 if all(aim["pass"] for aim in result["aims"]) else 1


if __name__ == "__main__":
    sys.exit(main())
