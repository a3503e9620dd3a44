"""The default models on this machine, and what they said before."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from appliance import llama_install
from appliance.ai.chosen import Chosen
from appliance.settings import HOME
from tests.evaluation.remembering import Remembering

CHAT: Final = llama_install.MODELS / llama_install.CHAT
EMBEDDING: Final = llama_install.MODELS / llama_install.EMBEDDING


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def opened() -> Remembering:
    """Raises SystemExit when llama.cpp is not built."""
    if not llama_install.is_ready():
        raise SystemExit(f"llama.cpp is not built; {llama_install.NEXT}")
    llama_install.use()
    from appliance.ai.models import Models

    # One thread: two of them wait for each other on a machine that does other work too.
    models = Models(Chosen(CHAT, EMBEDDING, context=2048, memory=4 * 2**30, threads=1))
    return Remembering(models, digest(CHAT), digest(EMBEDDING), HOME / "build" / "evaluation" / "said.sqlite")
