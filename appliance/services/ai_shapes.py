"""The JSON shapes of `/v1`: OpenAI's, as far as a model on one machine can keep their promises.

What cannot be kept is refused, as everywhere: `tools`, more than one choice, log-probabilities, pictures.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Text = Annotated[str, Meta(max_length=200_000)]


class TextPart(Struct, forbid_unknown_fields=True):
    type: Literal["text"]
    text: Text


class ChatMessage(Struct, forbid_unknown_fields=True):
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]
    name: Annotated[str, Meta(max_length=64)] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class NamedSchema(Struct, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, Meta(max_length=64)] = ""
    description: str | None = None
    schema: dict[str, Any] = {}
    strict: bool | None = None


class ResponseFormat(Struct, forbid_unknown_fields=True):
    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: NamedSchema | None = None


class StreamOptions(Struct, forbid_unknown_fields=True):
    include_usage: bool = False
    include_obfuscation: bool = False


class ChatRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """`service_tier: "flex"` lets everything else go first. Without a model, the one there is."""

    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=200)]
    model: Annotated[str, Meta(max_length=200)] = ""
    max_tokens: Annotated[int, Meta(ge=1, le=131_072)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1, le=131_072)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=-(2**31), le=2**32 - 1)] | None = None
    stop: (
        Annotated[str, Meta(max_length=200)]
        | Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=4)]
        | None
    ) = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    presence_penalty: Annotated[float, Meta(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=0, le=0)] | None = None
    user: Annotated[str, Meta(max_length=200)] | None = None


class CachedTokens(Struct):
    cached_tokens: int


class ChatUsage(Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class Answer(Struct, kw_only=True):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(Struct, kw_only=True):
    index: int = 0
    message: Answer
    logprobs: None = None
    finish_reason: Literal["stop", "length"]


class ChatCompletion(Struct, kw_only=True):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage
    system_fingerprint: str | None = None


class Delta(Struct, kw_only=True):
    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET


class ChunkChoice(Struct, kw_only=True):
    index: int = 0
    delta: Delta
    logprobs: None = None
    finish_reason: Literal["stop", "length"] | None = None


class ChatChunk(Struct, kw_only=True):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | UnsetType | None = UNSET


class EmbeddingsRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """Of each text the first 256 tokens count."""

    input: Text | Annotated[list[Text], Meta(min_length=1, max_length=256)]
    model: Annotated[str, Meta(max_length=200)] = ""
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: Annotated[str, Meta(max_length=200)] | None = None


class Embedding(Struct, kw_only=True):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    """Little-endian 32-bit numbers as base64, where that was asked for."""


class EmbeddingsUsage(Struct):
    prompt_tokens: int
    total_tokens: int


class Embeddings(Struct, kw_only=True):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


class Model(Struct, kw_only=True):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "appliance"


class Models(Struct, kw_only=True):
    object: Literal["list"] = "list"
    data: list[Model]
