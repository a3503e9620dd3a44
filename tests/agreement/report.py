"""What a run found, in percent and by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.agreement.compare import Outcome


class Report:
    def __init__(self, examples: int) -> None:
        self.examples = examples
        self.agreed: Counter[str] = Counter()
        self.differ: dict[str, list[str]] = {}
        self.left_out: Counter[str] = Counter()
        """Of all pairs, those compared without something that was sent, by why."""
        self.taken: list[str] = []
        """What a client must not say, and we took."""

    def add_all(self, judged: Iterable[tuple[str, Outcome]]) -> None:
        for name, outcome in judged:
            if outcome.left_out:
                self.left_out[outcome.left_out] += 1
            if outcome.agrees:
                self.agreed[outcome.cause] += 1
                continue
            told = f"{name}: {outcome.detail}"
            self.differ.setdefault(outcome.cause, []).append(told)
            if outcome.taken:
                self.taken.append(told)

    @property
    def compared(self) -> int:
        return self.agreed.total() + sum(map(len, self.differ.values()))

    @property
    def agreement(self) -> float:
        """Percent of all pairs: verdict, places, words and final data all the same."""
        return 100 * self.agreed.total() / max(self.compared, 1)

    def summary(self) -> dict[str, Any]:
        return {
            "compared": self.compared,
            "agreement": round(self.agreement, 3),
            "agreed": dict(self.agreed),
            "differ": {cause: len(found) for cause, found in self.differ.items()},
            "examples": {cause: found[: self.examples] for cause, found in self.differ.items()},
            "left out": dict(self.left_out),
            "taken": len(self.taken),
        }

    def text(self, seconds: float) -> str:
        lines = [
            f"{self.compared} pairs in {seconds:.0f} s",
            "",
            f"agreement  {self.agreement:.2f} % (verdict, error paths, words, data)",
            *(f"  {count:7d}  {cause}" for cause, count in self.agreed.most_common()),
        ]
        for cause, found in sorted(self.differ.items(), key=lambda row: -len(row[1])):
            lines.append(f"  {len(found):7d}  differ: {cause}")
            lines += [f"             {one[:600]}" for one in found[: self.examples]]
        lines += ["", f"of these   {self.left_out.total()} without what survey-core trusts its client about"]
        lines += [f"  {count:7d}  {cause}" for cause, count in self.left_out.most_common()]
        return "\n".join(lines)
