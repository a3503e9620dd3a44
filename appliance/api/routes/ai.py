"""The models of this machine: behind OpenAI's paths, and for the responses of a form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get, post
from litestar.params import Parameter
from litestar.response import Stream

from appliance.api.answers import PRIVATE, accepted, documented, ok
from appliance.api.guards import may_ask_models, signed_in
from appliance.api.paging import Cursor, Limit
from appliance.api.parameters import FormId
from appliance.api.requests import ApiRequest
from appliance.errors import Problem
from appliance.services import ai, analysis
from appliance.services import ai_shapes as shapes
from appliance.services.analysis_shapes import Insights, ResponseInsights, StartAnalysis
from appliance.services.background import Accepted
from appliance.stores.ai_turns import Said

_FIRST = 5.0
"""Seconds that a stream waits for its first word, or for a refusal, before its answer begins."""
_GONE = 499
"""What nginx calls an answer that nobody waited for."""

Answers = AsyncGenerator[Said | dict[str, Any] | None]


@get("/models", scope="ai", guards=[signed_in], responses=documented(401, 403, s200=shapes.Models))
async def list_models(request: ApiRequest) -> Response[bytes]:
    """The models that are used here: one that answers, one that makes vectors."""
    return ok(ai.list_models(request.context))


@get(
    "/models/{model:str}",
    scope="ai",
    guards=[signed_in],
    responses=documented(401, 403, 404, s200=shapes.Model),
)
async def get_model(
    request: ApiRequest, model: Annotated[str, Parameter(max_length=200, description="A model's id")]
) -> Response[bytes]:
    """One of them."""
    return ok(ai.get_model(request.context, model))


@post(
    "/chat/completions",
    scope="ai",
    status_code=200,
    guards=[signed_in, may_ask_models],
    responses=documented(400, 401, 403, 404, 413, 415, 422, s200=shapes.ChatCompletion),
)
async def create_chat_completion(request: ApiRequest, data: shapes.ChatRequest) -> Response[Any]:
    """An answer to a conversation, whole or, with `stream`, as server-sent events. 429 when too many wait."""
    question = ai.ask_chat(request.context, request.signed_in, data)
    heard = ai.answers(request.context, question)
    if data.stream:
        return await _stream(question, heard, data)
    result = await _result(request, heard)
    if result is None:
        return Response(b"", status_code=_GONE)
    return ok(ai.completion(question, result))


@post(
    "/embeddings",
    scope="ai",
    status_code=200,
    guards=[signed_in, may_ask_models],
    responses=documented(400, 401, 403, 404, 413, 415, 422, s200=shapes.Embeddings),
)
async def create_embeddings(request: ApiRequest, data: shapes.EmbeddingsRequest) -> Response[Any]:
    """The vectors of up to 256 texts, each of length 1."""
    question = ai.ask_vectors(request.context, request.signed_in, data)
    result = await _result(request, ai.answers(request.context, question))
    if result is None:
        return Response(b"", status_code=_GONE)
    return ok(ai.vectors(question, result, as_base64=data.encoding_format == "base64"))


async def _result(request: ApiRequest, heard: Answers) -> dict[str, Any] | None:
    """The whole answer; None when the client has hung up."""
    answering = asyncio.create_task(_last(heard))
    leaving = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else None
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)
        await heard.aclose()


async def _last(heard: Answers) -> dict[str, Any] | None:
    async for one in heard:
        if isinstance(one, dict):
            return one
    return None


async def _until_gone(request: ApiRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _stream(question: ai.Question, heard: Answers, data: shapes.ChatRequest) -> Stream:
    """What is refused at once is refused before the answer begins."""
    first = asyncio.create_task(anext(heard))
    await asyncio.wait({first}, timeout=_FIRST)
    if first.done():
        first.result()
    with_usage = data.stream_options is not None and data.stream_options.include_usage
    told = _events(question, first, heard, with_usage=with_usage)
    return Stream(told, media_type="text/event-stream", headers={**PRIVATE, "x-accel-buffering": "no"})


async def _events(
    question: ai.Question, first: asyncio.Task[Any], heard: Answers, *, with_usage: bool
) -> AsyncIterator[bytes]:
    try:
        yield _event(ai.chunk(question, shapes.Delta(role="assistant", content="")))
        told = _Told()
        one = await first
        while not isinstance(one, dict):
            if one is None:
                yield b": alive\n\n"
            elif text := told.new(one):
                yield _event(ai.chunk(question, shapes.Delta(content=text)))
            one = await anext(heard)
        if rest := told.rest(one["text"]):
            yield _event(ai.chunk(question, shapes.Delta(content=rest)))
        yield _event(ai.chunk(question, shapes.Delta(), one["reason"]))
        if with_usage:
            yield _event(ai.last_chunk(question, one))
        yield b"data: [DONE]\n\n"
    except Problem as problem:
        yield _event({"error": {"message": problem.detail, "type": problem.type, "code": problem.status}})
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await heard.aclose()


class _Told:
    """What has been told of an answer. A worker that died begins it anew, and says the same again."""

    def __init__(self) -> None:
        self._text, self._again, self._attempt = "", "", 0

    def new(self, said: Said) -> str:
        if said.attempt != self._attempt:
            self._attempt, self._again = said.attempt, ""
        self._again += said.text
        if len(self._again) <= len(self._text):
            return ""
        new = self._again[len(self._text) :]
        self._text = self._again
        return new

    def rest(self, whole: str) -> str:
        """What the whole has beyond that, under filters that must see all of it."""
        return whole[len(self._text) :] if whole.startswith(self._text) else ""


def _event(body: Any) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(body)


@post(
    "/{form_id:str}/analyze",
    tags=["ai"],
    scope="ai",
    status_code=202,
    guards=[signed_in, may_ask_models],
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422, s202=Accepted),
)
async def analyze_form(request: ApiRequest, form_id: FormId, data: StartAnalysis) -> Response[bytes]:
    """Have the free text of responses read. What has not changed since it was read is not read again."""
    promised, replayed = await analysis.start(
        request.context, request.signed_in, form_id, data, request.idempotency_key()
    )
    return accepted(promised, replayed=replayed)


@get(
    "/{form_id:str}/insights",
    tags=["ai"],
    scope="responses:read",
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, s200=Insights),
)
async def get_insights(request: ApiRequest, form_id: FormId) -> Response[bytes]:
    """What the last analysis found in all responses together."""
    return ok(await analysis.of_form(request.context, request.signed_in, form_id))


@get(
    "/{form_id:str}/insights/responses",
    tags=["ai"],
    scope="responses:read",
    guards=[signed_in],
    responses=documented(400, 401, 403, 404, s200=ResponseInsights),
)
async def list_insights(
    request: ApiRequest, form_id: FormId, limit: Limit = 50, cursor: Cursor = None
) -> Response[bytes]:
    """What was found in each response, the newest first. A page may be short."""
    return ok(await analysis.of_responses(request.context, request.signed_in, form_id, cursor, limit))


form_handlers = [analyze_form, get_insights, list_insights]
"""For the router of the forms' path."""
router = Router(
    "/v1", tags=["ai"], route_handlers=[list_models, get_model, create_chat_completion, create_embeddings]
)
