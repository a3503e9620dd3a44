"""Queue `batched`: what models are asked. One process of worker-ai, one task at a time.

Whoever asked for a chat or for vectors waits, so a fault is their answer rather than a dead letter, and
nothing is tried again that nobody waits for any more; these two touch no database.
"""

from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from appliance import llama_install, logs
from appliance.ai import filters
from appliance.ai.chosen import Counts
from appliance.ai.engine import Message, ModelFault, Piece, Refused, Usage
from appliance.queue import registry
from appliance.queue.interrupts import SoftTimeout
from appliance.queue.run import Run
from appliance.services import ai_models
from appliance.settings import Settings
from appliance.stores import ai_counts, ai_turns
from appliance.stores.ai_turns import Said
from appliance.tasks import process

if TYPE_CHECKING:
    from appliance.ai.models import Models

_SAY = 30.0
"""Seconds between two words on whether a model is loaded."""

log = logs.get(__name__)
_open: Callable[[], Models] | None = None
_models: Models | None = None
_told = Counts()


def prepare(asked: Settings) -> Callable[[], None]:
    """Call once in the process that runs models, before anything else: it takes the signals' wakeup
    descriptor.

    What is to be done each second without a task: models that nobody asked for long are unloaded.
    """
    global _open
    from appliance.ai.breaks import Breaks

    llama_install.use()
    breaks = Breaks()

    def open_models() -> Models:
        from appliance.ai.models import Models  # NumPy comes along with it, which takes 30 MiB

        return Models(ai_models.chosen(asked), breaks)

    _open = open_models
    said = 0.0

    def rest() -> None:
        nonlocal said
        if _models and _models.loaded and _models.idle() > 60 * asked.ai_idle_minutes:
            _models.close()
            said = 0.0
            log.info("models were unloaded", extra={"idle_minutes": asked.ai_idle_minutes})
        if time.monotonic() - said > _SAY:
            said = time.monotonic()
            loaded = _models is not None and _models.loaded
            process.run(ai_counts.set_loaded(process.context().redis, loaded))

    return rest


def models() -> Models:
    """Those of this process, made when they are first asked for."""
    global _models
    if _models is None:
        if _open is None:
            raise RuntimeError("ai.prepare was not called in this process")
        _models = _open()
    return _models


@registry.task("chat")
async def chat(
    run: Run, *, messages: list[list[str]], wish: dict[str, Any], listened: bool = True
) -> dict[str, Any]:
    """The answer, said piece by piece on the task's channel while somebody listens there.

    `wish` has the arguments of `engine.Generate`.
    """
    chosen = process.context().settings.ai_filters
    asked = [Message(role, text) for role, text in messages]  # type: ignore[arg-type]
    answer = _Answer(run, chosen, asked, listened=listened)
    try:
        for piece in models().generate(asked, **wish):
            await answer.add(piece, wish["most"])
            if answer.is_over:
                break
    except ModelFault as fault:
        return _fault(fault)
    except SoftTimeout:
        answer.reason = "length"
        if not answer.text:
            return {
                "fault": f"the model needed longer than the {run.claim.soft:g} s that it has",
                "refused": False,
            }
    finally:
        await tell_counts(hung_up=answer.hung_up)
    return answer.result()


class _Answer:
    def __init__(self, run: Run, chosen: tuple[str, ...], asked: list[Message], *, listened: bool) -> None:
        self._run, self._filters, self._listened = run, chosen, listened
        self._asked = [message.content for message in asked]
        self._started = time.monotonic()
        self._loaded = models().counts.load_seconds
        self.text, self.usage = "", Usage()
        self.reason: str | None = None
        self.hung_up = False

    @property
    def is_over(self) -> bool:
        return self.reason is not None or self.hung_up

    async def add(self, piece: Piece, most: int) -> None:
        self.text += piece.text
        self.usage, self.reason = piece.usage, piece.reason
        if piece.usage.generated:
            self._run.progress(piece.usage.generated, most, "tokens")
        else:
            self._run.progress(piece.usage.prompt, None, "prompt tokens")
        if self._listened:
            shown = filters.apply(self._filters, piece.text) if filters.flows(self._filters) else ""
            said = Said(self._run.claim.attempts, shown, piece.usage)
            context = process.context()
            self.hung_up = not await ai_turns.say(context.redis, self._run.id, said)

    def result(self) -> dict[str, Any]:
        seconds = time.monotonic() - self._started
        return {
            "text": filters.apply(self._filters, self.text, self._asked),
            "reason": self.reason or "length",
            "usage": self.usage._asdict(),
            "hung_up": self.hung_up,
            "load_time": round(models().counts.load_seconds - self._loaded, 3),
            "inference_time": round(seconds, 3),
        }


@registry.task("embed")
async def embed(run: Run, *, texts: list[str]) -> dict[str, Any]:
    """The texts' vectors, each as the base64 of its little-endian 32-bit numbers."""
    before = models().counts.prompt
    try:
        rows = models().embed(texts).astype("<f4")
    except ModelFault as fault:
        return _fault(fault)
    finally:
        await tell_counts()
    vectors = [base64.b64encode(row.tobytes()).decode() for row in rows]
    return {"vectors": vectors, "tokens": models().counts.prompt - before}


def _fault(fault: ModelFault) -> dict[str, Any]:
    log.warning("a model could not answer", extra={"error": str(fault)})
    return {"fault": str(fault), "refused": isinstance(fault, Refused)}


async def tell_counts(*, hung_up: bool = False) -> None:
    """What this process has counted since it last told."""
    global _told
    if _models is None:
        return  # it came to nothing before there was anything to count
    counts = dataclasses.replace(_models.counts)
    grown: Mapping[str, float] = {
        field.name: getattr(counts, field.name) - getattr(_told, field.name)
        for field in dataclasses.fields(Counts)
    }
    _told = counts
    redis = process.context().redis
    await ai_counts.add(
        redis, {_NAMES.get(name, name): count for name, count in grown.items()} | {"hung_up": hung_up}
    )
    await ai_counts.set_loaded(redis, _models.loaded)


_NAMES = {"prompt": "prompt_tokens", "cached": "cached_tokens", "generated": "generated_tokens"}
