"""All answers of a form as far as numbers go: what is held of each is a few bytes, whatever it says."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.ai import duplicates
from appliance.ai.topics import evenly

FIELDS: Final = (
    "seq", "made_by", "submitted_at", "sentences", "signature",
    "result.sentiment", "result.language", "result.suspicions",
)  # fmt: skip
"""Of a row of results that are read."""
_WORTHLESS: Final = frozenset({"links", "repetition", "gibberish", "advertising", "instructions"})
"""Suspicions under which an answer counts for no topic. Abuse may be about one, but is not quoted."""
_DAYS, _WEEKS = 31, 731
"""Days that are told one by one, and week by week; longer ones month by month."""


class Overview:
    """Of all results of a form, by number; `take` them in that order."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.seqs: list[int] = []
        self.moods: list[str] = []
        self.sentences: list[int] = []
        self.counts: list[bool] = []
        """Whether it counts for topics."""
        self.clean: list[bool] = []
        """Whether it is suspected of nothing."""
        self.languages: Counter[str] = Counter()
        self.suspicions: Counter[str] = Counter()
        self._signatures = bytearray()
        self._days: list[int] = []
        self.duplicate_of: list[int | None] = []

    def take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            result, suspected = row["result"], row["result"]["suspicions"]
            self.ids.append(row["_id"])
            self.seqs.append(row["seq"])
            self.moods.append(result["sentiment"])
            self.sentences.append(row["sentences"])
            self.counts.append(_WORTHLESS.isdisjoint(suspected))
            self.clean.append(not suspected)
            self.languages[result["language"] or "unknown"] += 1
            self.suspicions.update(suspected)
            self._signatures += row["signature"]
            self._days.append(row["submitted_at"].toordinal())

    def settle(self) -> None:
        """When all are taken."""
        rows = np.frombuffer(bytes(self._signatures), dtype="<u4").reshape(
            len(self.ids), duplicates.SIZE // 4
        )
        self.duplicate_of = duplicates.repeated(rows)

    def is_quotable(self, at: int) -> bool:
        return self.clean[at] and self.duplicate_of[at] is None

    def sample(self, most: int) -> list[tuple[int, int]]:
        """Evenly spread sentences of answers worth it: (place of the answer, number of the sentence)."""
        worthy = [at for at in range(len(self.ids)) if self.counts[at] and self.duplicate_of[at] is None]
        ends: NDArray[np.intp] = np.cumsum([self.sentences[at] for at in worthy], dtype=np.intp)
        found = []
        for number in evenly(int(ends[-1]) if len(ends) else 0, most):
            which = int(np.searchsorted(ends, number, side="right"))
            found.append((worthy[which], int(number - (ends[which - 1] if which else 0))))
        return found

    def over_time(self) -> list[dict[str, Any]]:
        """Moods by the day, week or month (UTC) of submission, as their span asks for; the oldest first."""
        if not self._days:
            return []
        bucket = _bucket(max(self._days) - min(self._days))
        found: dict[str, Counter[str]] = {}
        for day, mood in zip(self._days, self.moods, strict=True):
            found.setdefault(_begin(day, bucket), Counter())[mood] += 1
        return [{"from": begin, "bucket": bucket, **shares(found[begin])} for begin in sorted(found)]


def shares(counted: Counter[str] | Sequence[str]) -> dict[str, int]:
    """How many of each mood, each mood named."""
    found = Counter(counted)
    return {mood: found[mood] for mood in ("positive", "neutral", "negative", "unsure")}


def _bucket(days: int) -> str:
    return "day" if days <= _DAYS else "week" if days <= _WEEKS else "month"


def _begin(day: int, bucket: str) -> str:
    date = dt.date.fromordinal(day)
    if bucket == "week":
        date -= dt.timedelta(days=date.weekday())
    return (date.replace(day=1) if bucket == "month" else date).isoformat()
