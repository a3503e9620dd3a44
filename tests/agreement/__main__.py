"""`scripts/oracle`: how far survey-core and we agree, on generated pairs and on the corpus."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.agreement.report import Report
from tests.agreement.run import Judged, corpus_pairs, judge_pairs, judge_seeds

CORPUS = Path(__file__).parent.parent / "domain" / "corpus"


def main() -> int:
    asked = _arguments()
    began, report = time.monotonic(), Report(asked.examples)
    for found in _generated(asked.pairs, asked.first, asked.processes):
        report.add_all(found)
    if asked.corpus.is_dir():
        report.add_all(judge_pairs(list(corpus_pairs(asked.corpus))))
    if asked.json:
        print(json.dumps(report.summary(), indent=2))
    else:
        print(report.text(time.monotonic() - began))
    return 0 if report.agreement >= asked.least and not report.taken else 1


def _generated(count: int, first: int, processes: int) -> Iterator[list[Judged]]:
    """Each process keeps one survey-core for as long as it lives."""
    steps = [(start, min(start + 200, first + count)) for start in range(first, first + count, 200)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, found in enumerate(pool.imap_unordered(judge_seeds, steps), 1):
            if sys.stderr.isatty():
                print(f"\r{done * 200} pairs", end="", file=sys.stderr)
            yield found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/oracle", description=__doc__)
    parser.add_argument("--pairs", type=int, default=20_000, help="generated pairs (20000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--processes", type=int, default=2, help="each with a survey-core of its own (2)")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of forms with answers")
    parser.add_argument(
        "--least", type=float, default=99.5, help="percent; below it the exit status is 1 (99.5)"
    )
    parser.add_argument("--examples", type=int, default=3, help="seeds shown for each cause (3)")
    parser.add_argument("--json", action="store_true", help="the summary as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
