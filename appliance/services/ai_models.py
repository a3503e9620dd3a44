"""Which models there are, which of them are used, and what they may have of the machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from appliance import llama_install, plan
from appliance.addresses import Paths
from appliance.ai import gguf, memory
from appliance.ai.chosen import EMBEDDED, Chosen
from appliance.ai.engine import ModelFault
from appliance.ai.gguf import Header
from appliance.ai.memory import Fit
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
        return Choice(asked.resolve(), "AI_MODEL" if purpose == "chat" else "EMBEDDING_MODEL")
    used = link(settings, purpose)
    if used.is_symlink():
        return Choice(used.resolve(), "appliance model use")
    shipped = llama_install.shipped(_SHIPPED[purpose])
    return Choice(shipped, "default") if shipped else None


def get(settings: Settings, purpose: Purpose) -> Choice:
    """Raises ModelFault when there is none."""
    found = find(settings, purpose)
    if found is None:
        kind = "language model" if purpose == "chat" else "model for vectors"
        raise ModelFault(f"there is no {kind}; next: appliance status says how to get one")
    return found


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


@dataclass(frozen=True, slots=True)
class Condition:
    """Of AI as a whole: ready, building, or off and why, with the command that mends it."""

    kind: Literal["ready", "building", "off"]
    detail: str
    chat: str | None
    embedding: str | None


def condition(settings: Settings) -> Condition:
    """As `status` tells it: files are looked at, and no model is loaded."""
    installed = llama_install.state()
    chat, embedding = find(settings, "chat"), find(settings, "embedding")
    names = (chat.name if chat else None, embedding.name if embedding else None)
    if installed.kind != "ready":
        return Condition(installed.kind, installed.detail, *names)
    for choice in (chat, embedding):
        if choice is None:
            return Condition("off", f"a model is missing; {llama_install.NEXT}", *names)
        try:
            judge(settings, choice.path)
        except ModelFault as fault:
            what, _, after = str(fault).partition("; next: ")
            detail = f"{what} (chosen by {choice.by})" + (f"; next: {after}" if after else "")
            return Condition("off", detail, *names)
    return Condition("ready", "", *names)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of a file that can be used: with how many tokens of context, and what that takes."""

    header: Header
    fit: Fit
    memory: int
    """Bytes that worker-ai may have."""


def judge(settings: Settings, path: Path) -> Judgement:
    """Raises ModelFault for what is no model, is broken, or does not fit."""
    header, given = gguf.read(path), chosen(settings)
    wanted = EMBEDDED if header.is_embedder else settings.ai_context
    found = memory.fit(header, given.memory, wanted, None if header.is_embedder else _beside(given))
    return Judgement(header, found, given.memory)


def _beside(given: Chosen) -> Header | None:
    """The model for vectors, which takes its part of the memory too."""
    with contextlib.suppress(ModelFault):
        return gguf.read(given.embedding) if given.embedding else None
    return None
