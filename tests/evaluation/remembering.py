"""The models, with what they said before: a pass over all texts takes minutes, and is needed more than once.

Texts are given to the model in blocks, always the same for the same list, since how many are worked on
together changes the last digits of what it says. A block is remembered by the model's digest and all that was
asked.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.ai.engine import Engine, Scores, Vectors

BLOCK = 150
_Rows = NDArray[Any]


class Remembering:
    """An `Engine` that asks another one what it does not know yet."""

    def __init__(self, engine: Engine, chat_sha256: str, embedding_sha256: str, file: Path) -> None:
        self._engine, self._chat, self._embedding = engine, chat_sha256, embedding_sha256
        file.parent.mkdir(parents=True, exist_ok=True)
        self._kept = sqlite3.connect(file)
        self._kept.execute("CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, rows BLOB NOT NULL)")

    def score_many(self, prefix: str, rests: Sequence[str], labels: Sequence[str]) -> Scores:
        asked = [self._chat, prefix, *labels]
        return self._blocks(asked, rests, lambda part: self._engine.score_many(prefix, part, labels))

    def embed(self, texts: Sequence[str]) -> Vectors:
        return self._blocks([self._embedding], texts, self._engine.embed)

    def _blocks(self, asked: list[str], texts: Sequence[str], ask: Callable[[Sequence[str]], _Rows]) -> _Rows:
        found, told = [], time.monotonic()
        for begin in range(0, len(texts), BLOCK):
            part = texts[begin : begin + BLOCK]
            key = hashlib.sha256(json.dumps([asked, part]).encode()).hexdigest()
            found.append(self._find(key) if self._has(key) else self._keep(key, ask(part)))
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"  {begin + len(part):,} of {len(texts):,} texts", file=sys.stderr, flush=True)
        return np.concatenate(found)

    def _has(self, key: str) -> bool:
        return self._kept.execute("SELECT 1 FROM rows WHERE key = ?", (key,)).fetchone() is not None

    def _find(self, key: str) -> _Rows:
        (raw,) = self._kept.execute("SELECT rows FROM rows WHERE key = ?", (key,)).fetchone()
        rows: _Rows = np.load(io.BytesIO(raw))
        return rows

    def _keep(self, key: str, rows: _Rows) -> _Rows:
        out = io.BytesIO()
        np.save(out, rows)
        self._kept.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (key, out.getvalue()))
        self._kept.commit()
        return rows
