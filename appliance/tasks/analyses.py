"""Queue `batched`: the free text of responses is read by the models. `analysis_running` says how."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huey.exceptions import RetryTask

from appliance.ai import drafts, gguf
from appliance.ai.drafts import Drafted
from appliance.ai.engine import ModelFault
from appliance.errors import NotFound
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.services import ai_models, analysis_running
from appliance.services.analysis_readers import Drafter
from appliance.settings import Settings
from appliance.tasks import ai, process

if TYPE_CHECKING:
    from appliance.ai.models import Models
    from appliance.ai.reading import Reading


@process.long_task("analyze")
async def analyze(
    run: Run, *, form_id: str, response_ids: list[str] | None = None, since: str | None = None
) -> dict[str, Any]:
    """The free text of responses is read and what is found is stored, in pieces; counts of what was found."""
    context = process.context()
    try:
        reader = _Reader(ai.models(), context.settings)
        return await analysis_running.work(context, run, reader, form_id, response_ids, since)
    except analysis_running.GivesWay:
        raise RetryTask(delay=0) from None
    except (NotFound, ModelFault) as fault:
        raise Permanent(str(fault)) from None
    finally:
        await ai.tell_counts()


class _Reader:
    """An `analysis_readers.Reader`."""

    def __init__(self, held: Models, settings: Settings) -> None:
        from appliance.ai import reading, sentiment

        chat, vectors = (ai_models.get(settings, purpose) for purpose in ai_models.PURPOSES)
        self._models, self._reading = held, reading
        self.model, self.model_sha256 = chat.name, ai_models.digest(chat.path)
        vectors_sha256 = ai_models.digest(vectors.path)
        self._head = sentiment.head_for(self.model_sha256, vectors_sha256)
        made_by = (reading.VERSION, self._head.digest, self.model_sha256[:16], vectors_sha256[:16])
        self.made_by = "/".join(made_by)
        self.parameters = {
            "prompt_version": reading.VERSION,
            "head": self._head.name,
            "head_sha256": self._head.digest,
            "unsure_below": self._head.unsure_below,
            "embedding_model": vectors.name,
            "embedding_model_sha256": vectors_sha256,
        }
        self.embed = held.embed
        self.drafter: Drafter | None = None
        if _drafts(settings, chat.path):
            self.drafter = _Drafter(held, settings, self.model_sha256)
        self._before = dataclasses.replace(held.counts)

    def read(self, texts: Sequence[str]) -> list[Reading]:
        return self._reading.read(texts, self._models, self._head)

    def usage(self) -> dict[str, float]:
        before, now = self._before, dataclasses.replace(self._models.counts)
        self._before = now
        return {
            "prompt": now.prompt - before.prompt,
            "cached": now.cached - before.cached,
            "load": now.load_seconds - before.load_seconds,
        }


class _Drafter:
    """An `analysis_readers.Drafter`."""

    def __init__(self, held: Models, settings: Settings, sha256: str) -> None:
        self._generate, self._filters = held.generate, settings.ai_filters
        self.made_by = f"{drafts.VERSION}/{sha256[:16]}"

    def of_answer(self, text: str, labels: Sequence[str]) -> Drafted:
        return drafts.of_answer(text, labels, self._generate, self._filters)

    def of_form(self, quotes: Sequence[str]) -> Drafted:
        return drafts.of_form(quotes, self._generate, self._filters)


def _drafts(settings: Settings, path: Path) -> bool:
    """Whether the language model is asked to write."""
    if settings.ai_drafts == "auto":
        return gguf.read(path).parameters >= drafts.LARGE
    return settings.ai_drafts == "on"
