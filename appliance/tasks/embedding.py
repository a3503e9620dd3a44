"""Queue `batched`: responses are made findable by what they mean. `services.embedding` says how."""

from __future__ import annotations

from typing import Any

from huey.exceptions import RetryTask

from appliance import logs
from appliance.ai.engine import ModelFault
from appliance.errors import Unavailable
from appliance.queue import registry
from appliance.queue.run import Run
from appliance.services import deadlines, vector_place
from appliance.tasks import ai, process

log = logs.get(__name__)
_held: Any = None
"""An `embedding.Held`. NumPy comes along with it, so it is made where it is needed."""
_place: vector_place.Place | None = None
"""Of the model that this process runs: another one is used from the next `reload` on."""


@registry.task("embed_responses")
async def embed_responses(run: Run) -> dict[str, Any]:
    """Whatever has no vector yet gets one, what was deleted is wiped. Sent by the scheduler, once at a time.

    A fault is its result: `embedding_chore` tries again later, and what is to be done stands in the database.
    """
    from appliance.ai.vector_writer import Damaged
    from appliance.services import embedding

    try:
        return await deadlines.apart(_work(run))
    except embedding.GivesWay:
        raise RetryTask(delay=0) from None
    except (ModelFault, BlockingIOError, Damaged) as fault:
        log.warning("responses cannot be embedded", extra={"error": str(fault)})
        return {"fault": str(fault)}
    except OSError as fault:
        raise Unavailable(f"The file of vectors cannot be opened: {fault}.") from fault
    finally:
        await ai.tell_counts()


async def _work(run: Run) -> dict[str, Any]:
    global _held, _place
    from appliance.services import embedding

    context = process.context()
    place = _place = _place or vector_place.of(context.settings, ai.models().chosen.embedding)
    _held = _held or embedding.Held()
    writer = await _held.get(context, place)
    done = await embedding.Embedding(context, run, writer, ai.models().embed).work()
    wanted = vector_place.find(context.settings)
    if wanted is not None and wanted.path != place.path:
        return {**done, "fault": "another model for vectors is chosen; next: ./scripts/appliance reload"}
    return done
