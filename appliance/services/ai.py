"""Questions to the models of this machine: asked by a task of the queue `batched`, answered as the task
goes on.

This process loads no model. It says what is to be done, listens, and has the task cancelled when whoever
asked is gone. What somebody waits for goes ahead of what nobody does, unless they say `flex`.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import struct
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio.client import PubSub
from redis.exceptions import MaxConnectionsError, RedisError

from appliance import llama_install
from appliance.clock import new_id
from appliance.domain.access import Caller
from appliance.errors import FieldError, Invalid, NotFound, TooMany, Unavailable
from appliance.queue import scripts, status
from appliance.queue.engine import PREFIX
from appliance.queue.scripts import Job
from appliance.services import ai_models
from appliance.services import ai_shapes as shapes
from appliance.services.ai_models import Choice, Purpose
from appliance.services.context import Context
from appliance.services.tasks import redis_needed
from appliance.stores import ai_counts, ai_turns
from appliance.stores.ai_turns import LEASE, Said

_TOKENS = 1024
"""Of an answer, where nobody says how many."""
_TEMPERATURE = 0.2
"""Small models say worse things when they are made to say unlikely ones."""
_LOOK = 5.0
"""Seconds of silence after which the task is looked at: a word may have been lost."""
_BACK = 10
"""Seconds after which those come back who are too many."""


@dataclass(slots=True)
class Question:
    """A task that somebody waits for."""

    job: Job
    model: str
    created: int
    tells_all: bool
    """Whether who asked may know why a model cannot be used: it names files."""


# -- what there is


def list_models(context: Context) -> shapes.Models:
    found = [choice for purpose in ai_models.PURPOSES if (choice := _find(context, purpose))]
    return shapes.Models(data=[_model(choice) for choice in found])


def get_model(context: Context, name: str) -> shapes.Model:
    """Raises NotFound."""
    for model in list_models(context).data:
        if model.id == name:
            return model
    raise NotFound(f"There is no model {name!r}; GET /v1/models lists those there are.")


def _find(context: Context, purpose: Purpose) -> Choice | None:
    choice = ai_models.find(context.settings, purpose)
    return choice if choice and choice.path.is_file() else None


def _model(choice: Choice) -> shapes.Model:
    return shapes.Model(id=choice.name, created=int(choice.path.stat().st_mtime))


def choose(context: Context, purpose: Purpose, wanted: str) -> str:
    """The name of the model that is used; "" wants whichever.

    Raises NotFound, Invalid, Unavailable while there is none.
    """
    state, choice = llama_install.state(), _find(context, purpose)
    if wanted and (choice is None or wanted != choice.name):
        get_model(context, wanted)
        raise Invalid(
            "This model is made for something else.", errors=[FieldError("/model", f"not for {purpose}")]
        )
    if state.kind == "building":
        raise Unavailable(f"AI is not ready yet: {state.detail}.", retry_after=30)
    if state.kind == "off" or choice is None:
        raise Unavailable(
            "AI is off on this machine; its operator's `appliance status` says why.", retry_after=300
        )
    return choice.name


# -- what is asked


def ask_chat(context: Context, caller: Caller, asked: shapes.ChatRequest) -> Question:
    """Raises Invalid, NotFound, Unavailable. Nothing is sent yet."""
    model = choose(context, "chat", asked.model)
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    wish = {
        "most": asked.max_completion_tokens or asked.max_tokens or _TOKENS,
        "temperature": _TEMPERATURE if asked.temperature is None else asked.temperature,
        "top_p": 1.0 if asked.top_p is None else asked.top_p,
        "seed": secrets.randbits(32) if asked.seed is None else asked.seed,
        "stop": stop,
        "schema": _schema(asked.response_format),
    }
    messages = [["system" if one.role == "developer" else one.role, one.text] for one in asked.messages]
    arguments = {"messages": messages, "wish": wish}
    return _question("chat", arguments, caller, model, ahead=asked.service_tier != "flex")


def _schema(asked: shapes.ResponseFormat | None) -> dict[str, Any] | None:
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return {"type": "object"}
    if asked.json_schema is None or not asked.json_schema.schema:
        fault = FieldError("/response_format/json_schema", "a schema is needed")
        raise Invalid("There is no schema to hold the answer to.", errors=[fault])
    return asked.json_schema.schema


def ask_vectors(context: Context, caller: Caller, asked: shapes.EmbeddingsRequest) -> Question:
    """Raises Invalid, NotFound, Unavailable. Nothing is sent yet."""
    model = choose(context, "embedding", asked.model)
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    return _question("embed", {"texts": texts}, caller, model, ahead=True)


def _question(task: str, arguments: dict[str, Any], caller: Caller, model: str, *, ahead: bool) -> Question:
    job = Job(new_id(), task, arguments, owner=caller.user_id, ahead=ahead)
    return Question(job, model, int(time.time()), caller.is_admin)


# -- how it is answered


async def answers(context: Context, question: Question) -> AsyncGenerator[Said | dict[str, Any] | None]:
    """What the worker says as it goes on, None after some silence, and last the task's result.

    Whoever stops listening has the task cancelled. Raises TooMany when too many wait, Invalid for what
    the model refuses, Unavailable when the model cannot be used, the task was cancelled, or Redis is
    away.
    """
    task_id, turns = question.job.id, ai_turns.Turns(context.redis)
    most = context.settings.ai_waiting + 1  # one is being answered
    with redis_needed():
        if not await turns.take(task_id, most):
            await ai_counts.add(context.redis, {"refused": 1})
            raise TooMany("The model has as many questions waiting as it takes.", retry_after=_BACK)
    is_over = False
    try:
        async with _listening(context, task_id) as channel:
            with redis_needed():
                await context.sender.send([question.job])
            while not is_over:
                with redis_needed():
                    heard = await _hear(channel)
                    if heard is None:
                        await turns.take(task_id, most)
                    result = None if isinstance(heard, Said) else await _ended(context, question)
                is_over = result is not None
                yield heard if result is None else result
    finally:
        await asyncio.shield(_leave(context, turns, task_id, is_over=is_over))


@asynccontextmanager
async def _listening(context: Context, task_id: str) -> AsyncGenerator[PubSub]:
    channel = context.listening.pubsub(ignore_subscribe_messages=True)
    try:
        with redis_needed():
            await channel.subscribe(ai_turns.channel(task_id), f"{PREFIX}events:{task_id}")
        yield channel
    except MaxConnectionsError:
        raise Unavailable("Too many listen at this moment; ask again.", retry_after=_BACK) from None
    finally:
        await channel.aclose()  # type: ignore[no-untyped-call]


async def _hear(channel: PubSub) -> Said | None:
    """What the worker says; None when it is time to look at the task."""
    message = await channel.get_message(timeout=_LOOK)
    if message is None or not message["channel"].startswith(b"appliance:ai:"):
        return None
    return msgspec.json.decode(message["data"], type=Said)


async def _ended(context: Context, question: Question) -> dict[str, Any] | None:
    """The result, once there is one. Raises Invalid, Unavailable."""
    known = await status.find(context.redis, question.job.id)
    if known is None:
        raise Unavailable("The queue has lost the question; ask again.")
    if not known.is_over:
        return None
    if known.state != "completed":
        raise Unavailable(f"The question was not answered: {known.state}.", retry_after=5)
    result: dict[str, Any] = known.result
    if "fault" in result:
        if result["refused"]:
            raise Invalid(f"The model cannot do this: {result['fault']}.")
        why = result["fault"] if question.tells_all else "its operator finds in the log of worker-ai why"
        raise Unavailable(f"The model cannot be used: {why}.", retry_after=60)
    return result


async def _leave(context: Context, turns: ai_turns.Turns, task_id: str, *, is_over: bool) -> None:
    await turns.leave(task_id)
    if not is_over:
        try:
            await scripts.script(context.redis, "cancel")(args=[task_id])
        except (RedisError, OSError):
            return  # the worker notices by itself that nobody listens


# -- in OpenAI's shapes


def completion(question: Question, result: dict[str, Any]) -> shapes.ChatCompletion:
    answer = shapes.Answer(content=result["text"])
    choice = shapes.Choice(message=answer, finish_reason=result["reason"])
    return shapes.ChatCompletion(
        id=f"chatcmpl-{question.job.id}",
        created=question.created,
        model=question.model,
        choices=[choice],
        usage=usage(result),
    )


def usage(result: dict[str, Any]) -> shapes.ChatUsage:
    counts = result["usage"]
    return shapes.ChatUsage(
        prompt_tokens=counts["prompt"],
        completion_tokens=counts["generated"],
        total_tokens=counts["prompt"] + counts["generated"],
        prompt_tokens_details=shapes.CachedTokens(counts["cached"]),
    )


def chunk(question: Question, delta: shapes.Delta, reason: Any = None) -> shapes.ChatChunk:
    choice = shapes.ChunkChoice(delta=delta, finish_reason=reason)
    return shapes.ChatChunk(
        id=f"chatcmpl-{question.job.id}", created=question.created, model=question.model, choices=[choice]
    )


def last_chunk(question: Question, result: dict[str, Any]) -> shapes.ChatChunk:
    """The usage alone."""
    return shapes.ChatChunk(
        id=f"chatcmpl-{question.job.id}",
        created=question.created,
        model=question.model,
        choices=[],
        usage=usage(result),
    )


def vectors(question: Question, result: dict[str, Any], *, as_base64: bool) -> shapes.Embeddings:
    rows: Sequence[str] = result["vectors"]
    return shapes.Embeddings(
        data=[
            shapes.Embedding(index=index, embedding=row if as_base64 else _numbers(row))
            for index, row in enumerate(rows)
        ],
        model=question.model,
        usage=shapes.EmbeddingsUsage(result["tokens"], result["tokens"]),
    )


def _numbers(row: str) -> list[float]:
    raw = base64.b64decode(row)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


assert LEASE > 2 * _LOOK  # noqa: S101 - who waits says so in time
