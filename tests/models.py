"""The language models that the tests run on: the default ones, built by scripts/ai beside the first tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance import llama_install
from appliance.ai.chosen import Chosen
from appliance.ai.models import Models
from tests.running import Running
from tests.runtime.servers import until

BUILD_SECONDS = 400.0
"""A build on a quiet machine of two cores, and some."""


def until_built() -> None:
    """Raises AssertionError where nothing builds them: run scripts/ai."""

    def is_ready() -> bool:
        state = llama_install.state()
        assert state.kind != "off", state.detail
        return state.kind == "ready"

    until(is_ready, BUILD_SECONDS, "llama.cpp is built")


def until_at_work(appliance: Running) -> None:
    """Its worker-ai has begun to look for tasks."""
    until_built()
    beat = appliance.paths.beat("worker-ai")
    until(beat.exists, 60, "worker-ai works")


def chat_model() -> Path:
    return Path(llama_install.MODELS / llama_install.CHAT)


def embedding_model() -> Path:
    return Path(llama_install.MODELS / llama_install.EMBEDDING)


def chosen(**more: object) -> Chosen:
    """The default models, with what is given otherwise."""
    given = {"chat": chat_model(), "embedding": embedding_model(), "context": 2048}
    return Chosen(**{**given, "memory": 4 * 2**30, "threads": 2, **more})  # type: ignore[arg-type]


@contextmanager
def opened(**more: object) -> Iterator[Models]:
    """`chosen`, once they are built."""
    until_built()
    llama_install.use()
    held = Models(chosen(**more))
    yield held
    held.close()
