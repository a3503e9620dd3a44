"""What is to be run, and what was counted of it: for those who have no model themselves, and no NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EMBEDDED = 256
"""Tokens of a text that its vector is made of; MiniLM was trained on no more."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to run. `None`: there is none, and what needs it says so."""

    chat: Path | None
    embedding: Path | None
    context: int
    """Tokens at most."""
    memory: int
    """Bytes that there are for all of it."""
    threads: int


@dataclass(slots=True)
class Counts:
    """Since the process began."""

    loads: int = 0
    load_seconds: float = 0.0
    prompt: int = 0
    cached: int = 0
    generated: int = 0
    scored: int = 0
    embedded: int = 0
    prompt_seconds: float = 0.0
    generate_seconds: float = 0.0
