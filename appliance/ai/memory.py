"""How much memory a model takes, and how long a text it can be given in the memory there is."""

from __future__ import annotations

from typing import NamedTuple

from appliance.ai.engine import ModelFault
from appliance.ai.gguf import Header

MIB = 2**20
BATCH = 512
"""Tokens that are worked on together."""
SEQUENCES = 16
"""Texts that are scored together."""
SCORING = 2048
"""Tokens of their common beginning and of them, together."""
LEAST = 512
"""Tokens of context that a model is of no use below."""
_OWN = 300 * MIB
"""The worker itself, with the vectors of texts and what it holds of a task."""
_NUMBER = 2
"""Bytes of each number in the cache (f16)."""


class Need(NamedTuple):
    """Bytes."""

    weights: int
    cache: int
    """Keys and values of every token of the context."""
    buffers: int
    """What one batch is worked on in."""
    own: int = _OWN

    @property
    def total(self) -> int:
        return sum(self)


def need(header: Header, context: int, batch: int = BATCH) -> Need:
    """Of a model with so many tokens of context, beside a second context that scores labels."""
    scoring = 0 if header.is_embedder else min(SCORING, context)
    cache = _cache_of_a_token(header) * (context + scoring)
    contexts = 1 if header.is_embedder else 2
    return Need(header.bytes, cache, contexts * _buffers(header, context, batch))


def fitting_context(header: Header, budget: int, wanted: int) -> int:
    """The most tokens of context, up to `wanted` and to what the model was made for, that fit into the
    budget.

    Raises ModelFault when not even `LEAST` do.
    """
    most = min(wanted, header.number("context_length", wanted))
    for context in sorted({most, *(tokens for tokens in _steps(most))}, reverse=True):
        if need(header, context).total <= budget:
            return context
    least = need(header, min(LEAST, most))
    parts = ", ".join(f"{_told(count)} of {name}" for name, count in least._asdict().items() if name != "own")
    raise ModelFault(
        f"{header.path} needs {_told(least.total)} with the shortest context ({parts}, {_told(least.own)} for"
        f" the worker itself), and worker-ai may have {_told(budget)};"
        " next: take a smaller model, or raise APPLIANCE_MEMORY"
    )


def _steps(most: int) -> list[int]:
    return [
        tokens for tokens in (32768, 16384, 8192, 4096, 3072, 2048, 1536, 1024, 768, LEAST) if tokens < most
    ]


def _cache_of_a_token(header: Header) -> int:
    """Source: llama.cpp, llama_kv_cache: for each layer heads * (length of a key + of a value)."""
    heads = header.number("attention.head_count", 1)
    of_head = header.number("embedding_length") // max(1, heads)
    keys, values = (
        header.number("attention.key_length", of_head),
        header.number("attention.value_length", of_head),
    )
    if header.is_embedder:
        return 0
    in_cache = header.of("attention.head_count_kv")
    layers = header.number("block_count")
    total = sum(in_cache) if isinstance(in_cache, list) else int(in_cache or heads) * layers
    return total * (keys + values) * _NUMBER


def _buffers(header: Header, context: int, batch: int) -> int:
    """What the largest steps hold at once: the feed-forward layer, attention over the context, the
    vocabulary.

    Reckoned, not yet compared with what llama.cpp takes.
    """
    width, feed = header.number("embedding_length"), header.number("feed_forward_length")
    heads = header.number("attention.head_count", 1)
    attention = batch * min(context, SCORING) * heads
    return 4 * (batch * (4 * width + 2 * feed) + attention + SEQUENCES * 3 * header.vocabulary)


def _told(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / MIB:.0f} MiB"
