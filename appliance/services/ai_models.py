"""Which models there are, which of them are used, and what they may have of the machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from appliance import llama_install, plan
from appliance.addresses import Paths
from appliance.ai.models import Chosen
from appliance.settings import Settings

Purpose = Literal["chat", "embedding"]
PURPOSES: tuple[Purpose, ...] = ("chat", "embedding")
_SHIPPED = {"chat": llama_install.CHAT, "embedding": llama_install.EMBEDDING}
_SMALLEST = 768 * 2**20
"""Bytes that worker-ai has on the smallest machine (runtime/budget.py)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model's file, and what chose it: a setting's name, `appliance model use`, or 'default'."""

    path: Path
    by: str

    @property
    def name(self) -> str:
        """What the API calls it."""
        return self.path.resolve().stem


def find(settings: Settings, purpose: Purpose) -> Choice | None:
    """None when there is none. Whether it can be used, nobody has looked yet."""
    asked = settings.ai_model if purpose == "chat" else settings.embedding_model
    if asked is not None:
        return Choice(asked, "AI_MODEL" if purpose == "chat" else "EMBEDDING_MODEL")
    used = link(settings, purpose)
    if used.is_symlink():
        return Choice(used.resolve(), "appliance model use")
    shipped = llama_install.shipped(_SHIPPED[purpose])
    return Choice(shipped, "default") if shipped else None


def link(settings: Settings, purpose: Purpose) -> Path:
    """What `appliance model use` makes: it leads to the file."""
    return Path(settings.data) / "models" / f"{purpose}.gguf"


def files(settings: Settings) -> Iterator[Path]:
    """The GGUF files of the data folder and those that came along."""
    for folder in (Path(settings.data) / "models", llama_install.MODELS):
        yield from sorted(path for path in folder.glob("*.gguf") if not path.is_symlink())


def chosen(settings: Settings) -> Chosen:
    """For worker-ai, within its part of the budget."""
    found = plan.find(Paths(settings.data))
    share = found.budget.share("worker-ai") if found else None
    chat, embedding = find(settings, "chat"), find(settings, "embedding")
    return Chosen(
        chat=chat.path if chat else None,
        embedding=embedding.path if embedding else None,
        context=settings.ai_context,
        memory=(share.memory if share else None) or _SMALLEST,
        threads=share.processes if share else min(4, len(os.sched_getaffinity(0))),
    )


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of the file, read once; some seconds for gigabytes. Raises OSError."""
    found = path.stat()
    return _digest(path, found.st_size, found.st_mtime_ns)
