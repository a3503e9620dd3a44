"""Queue `batched`: the free text of responses is read by the models. `analysis_running` says how."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from huey.exceptions import RetryTask

from appliance.ai.engine import ModelFault
from appliance.errors import NotFound
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.services import ai_models, analysis_running
from appliance.services.analysis_running import Found
from appliance.services.free_text import Text
from appliance.settings import Settings
from appliance.tasks import ai, process

if TYPE_CHECKING:
    from appliance.ai.models import Models


@process.long_task("analyze")
async def analyze(
    run: Run, *, form_id: str, response_ids: list[str] | None = None, since: str | None = None
) -> dict[str, Any]:
    """The free text of responses is read and what is found is stored, in pieces; the counts of moods."""
    context = process.context()
    try:
        reader = _Moods(ai.models(), context.settings)
        return await analysis_running.work(context, run, reader, form_id, response_ids, since)
    except analysis_running.GivesWay:
        raise RetryTask(delay=0) from None
    except (NotFound, ModelFault) as fault:
        raise Permanent(str(fault)) from None
    finally:
        await ai.tell_counts()


class _Moods:
    """An `analysis_running.Reader`."""

    def __init__(self, held: Models, settings: Settings) -> None:
        from appliance.ai import moods

        choice = ai_models.find(settings, "chat")
        if choice is None:
            raise ModelFault("there is no language model; next: appliance status says how to get one")
        self._models, self._moods = held, moods
        self.model, self.model_sha256 = choice.name, ai_models.digest(choice.path)
        self.made_by = f"{moods.VERSION}/{self.model_sha256[:16]}"
        self.parameters = {"prompt_version": moods.VERSION, "unsure_below": moods.UNSURE}
        self._before = dataclasses.replace(held.counts)

    def read(self, texts: Sequence[Text]) -> list[Found]:
        started = time.monotonic()
        found = self._moods.read([each.text for each in texts], self._models.score_many)
        each = (time.monotonic() - started) / max(1, len(found))
        return [
            Found(
                {
                    "sentiment": mood.sentiment,
                    "confidence": mood.confidence,
                    "probabilities": mood.probabilities,
                    "analysis": "Mood unsure."
                    if mood.sentiment == "unsure"
                    else f"{mood.sentiment.capitalize()}.",
                },
                f"{self._moods.PREFIX} {text.text}",
                each,
            )
            for text, mood in zip(texts, found, strict=True)
        ]

    def usage(self) -> dict[str, float]:
        before, now = self._before, dataclasses.replace(self._models.counts)
        self._before = now
        return {
            "prompt": now.prompt - before.prompt,
            "cached": now.cached - before.cached,
            "load": now.load_seconds - before.load_seconds,
        }
