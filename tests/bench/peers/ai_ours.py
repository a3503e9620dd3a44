"""Our engine as worker-ai has it: `python -m tests.bench.peers.ai_ours MODEL THREADS`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from appliance import llama_install
from appliance.ai.chosen import Chosen
from appliance.ai.engine import Message
from appliance.services.analysis_running import PIECE
from tests.bench.peers.ai_lines import serve


class Ours:
    def __init__(self, model: Path, threads: int) -> None:
        llama_install.use()
        from appliance.ai.breaks import Breaks
        from appliance.ai.models import Models

        self._models = Models(Chosen(model, None, 2048, 4 * 2**30, threads), Breaks())
        self._models.score_many("Text:", [" x"], [" y"])  # loads

    def score(self, prefix: str, rests: list[str], labels: list[str]) -> list[list[float]]:
        """In pieces, as an analysis reads them."""
        pieces = [rests[at : at + PIECE] for at in range(0, len(rests), PIECE)]
        return [row for piece in pieces for row in self._models.score_many(prefix, piece, labels).tolist()]

    def generate(self, prompt: str, most: int) -> list[float]:
        pieces = self._models.generate([Message("user", prompt)], most=most)
        return [time.monotonic() for piece in pieces if piece.usage.generated]


if __name__ == "__main__":
    serve(lambda: Ours(Path(sys.argv[1]), int(sys.argv[2])))
