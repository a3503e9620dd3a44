"""`scripts/evaluate` has the manual."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

from appliance.ai import sentiment
from appliance.ai.sentiment import Head
from tests.evaluation import data, machine, report, train
from tests.evaluation.data import LABELS, Item
from tests.evaluation.peers import Told


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/evaluate")
    parser.add_argument("--train", action="store_true", help="make the weights anew, and measure nothing")
    parser.add_argument("--texts", type=Path, help="measure on these: lines of text and label, TSV or CSV")
    asked = parser.parse_args()
    if asked.train:
        return _train()
    return _report(_own(asked.texts)) if asked.texts else _report_all()


def _train() -> int:
    digests = {"chat": machine.digest(machine.CHAT), "embedding": machine.digest(machine.EMBEDDING)}
    made = train.train(data.load(), machine.opened(), digests, data.sources())
    sentiment.FILE.write_text(json.dumps(made, separators=(",", ":")) + "\n", "utf-8")
    print(sentiment.FILE)
    return 0


def _heads() -> list[Head]:
    chat, embedding = machine.digest(machine.CHAT), machine.digest(machine.EMBEDDING)
    pairs = ((chat, embedding), (chat, None), (None, embedding), (None, None))
    return [sentiment.head_for(*pair) for pair in pairs]


def _report_all() -> int:
    """Domain by domain, all together, and the attacks."""
    status = _report([item for item in data.load() if item.split == "test"])
    print()
    report.show_attacks(machine.opened(), [_heads()[0], _heads()[-1]])
    return status


def _report(items: list[Item]) -> int:
    engine, heads = machine.opened(), _heads()
    told: dict[str, list[Told]] = defaultdict(list)
    missed = []
    report.head_line()
    domains = sorted({item.domain for item in items})
    ordered = [item for domain in domains for item in items if item.domain == domain]
    for domain in domains:
        print(f"reading: {domain}", file=sys.stderr, flush=True)
        part = [item for item in items if item.domain == domain]
        said = report.tell(part, engine, heads)
        for name, each in said.items():
            told[name] += each
        missed += report.show(domain, part, said)
    if len(domains) > 1:
        missed += report.show("**all**", ordered, told)
    for fault in missed:
        print(f"missed: {fault}", file=sys.stderr)
    return 1 if missed else 0


def _own(file: Path) -> list[Item]:
    """Raises SystemExit, with the number of the line, for what is no label."""
    found = []
    with file.open(encoding="utf-8", newline="") as lines:
        delimiter = "\t" if file.suffix == ".tsv" else ","
        for number, row in enumerate(csv.reader(lines, delimiter=delimiter), 1):
            if row == ["text", "label"]:
                continue
            if len(row) != 2 or row[1].lower() not in LABELS:
                raise SystemExit(f"{file}, line {number}: expected a text and one of {', '.join(LABELS)}")
            found.append(Item(file.name, row[0], row[1].lower(), "test"))
    if not found:
        raise SystemExit(f"{file} has no texts")
    return found


if __name__ == "__main__":
    sys.exit(main())
