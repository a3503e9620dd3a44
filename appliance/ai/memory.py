"""How much memory a model takes, and how long a text it can be given in the memory there is.

The figures were compared with what processes really had: `scripts/bench ai-memory`.
"""

from __future__ import annotations

from typing import NamedTuple

from appliance.ai.engine import ModelFault
from appliance.ai.gguf import Header

MIB = 2**20
BATCH = 512
"""Tokens that are given to llama.cpp together."""
SEQUENCES = 17
"""Texts that are scored together, and their common beginning: a piece of an analysis is two such groups.
From 32 on OpenBLAS would want the vocabulary's matrix as 32-bit numbers, which of 7B are 800 MB."""
SCORING = 2048
"""Tokens of their common beginning and of them, together."""
LEAST = 512
"""Tokens of context that a model is of no use below."""
_FEW = 31
"""Tokens that a model that hardly fits works on at once: OpenBLAS is not asked for fewer than 32, and then
needs no copy of a matrix."""
_OWN = 110 * MIB
"""The worker itself: the process that runs models and the one that keeps its leases."""
_ROOM = 16 * MIB
"""What llama.cpp has of a model beside its weights: the vocabulary as it uses it, and graphs."""
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


class Fit(NamedTuple):
    """How a model is to be run in the memory there is."""

    context: int
    """Tokens."""
    need: Need
    is_tight: bool
    """Few tokens at once, and one context for answers and labels: slower with prompts, for they take the
    beginning out of each other's cache."""

    @property
    def at_once(self) -> int:
        """Tokens that go through the layers together."""
        return _FEW if self.is_tight else BATCH


def need(header: Header, context: int, *, is_tight: bool = False) -> Need:
    """Of a model with so many tokens of context."""
    if header.is_embedder:
        return Need(header.bytes, 0, _ROOM + _buffers(header, context, context))
    scoring = 0 if is_tight else min(SCORING, context)
    at_once = _FEW if is_tight else BATCH
    buffers = _ROOM + _logits(header) + _buffers(header, context, at_once)
    if scoring:
        buffers += _buffers(header, scoring, at_once)
    return Need(_weights(header), _cache_of_a_token(header) * (context + scoring), buffers)


def fit(header: Header, budget: int, wanted: int, beside: Header | None = None) -> Fit:
    """The most tokens of context, up to `wanted` and to what the model was made for, that fit into the
    budget, if need be in the tight way. `beside`: a model for vectors that is loaded too.

    Raises ModelFault when not even `LEAST` do.
    """
    if beside is not None:
        budget -= need(beside, LEAST // 2).total - _OWN
    most = min(wanted, header.number("context_length", wanted))
    contexts = sorted({most, *_steps(most)}, reverse=True)
    for is_tight in (False,) if header.is_embedder else (False, True):
        for context in contexts:
            found = need(header, context, is_tight=is_tight)
            if found.total <= budget:
                return Fit(context, found, is_tight)
    least = need(header, contexts[-1], is_tight=not header.is_embedder)
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


def _weights(header: Header) -> int:
    """All but the vectors of single tokens, where those are not the output's matrix too: of them a few rows
    are read, and the kernel lets go of the others."""
    if "output.weight" not in header.tensors:
        return header.bytes
    return header.bytes - header.tensors["token_embd.weight"].bytes


def _cache_of_a_token(header: Header) -> int:
    """Source: llama.cpp, llama_kv_cache: for each layer heads * (length of a key + of a value)."""
    heads = header.number("attention.head_count", 1)
    of_head = header.number("embedding_length") // max(1, heads)
    keys, values = (
        header.number("attention.key_length", of_head),
        header.number("attention.value_length", of_head),
    )
    in_cache = header.of("attention.head_count_kv")
    layers = header.number("block_count")
    total = sum(in_cache) if isinstance(in_cache, list) else int(in_cache or heads) * layers
    return total * (keys + values) * _NUMBER


def _buffers(header: Header, context: int, at_once: int) -> int:
    """Of one context: the feed-forward layer and attention of each token, its mask over the context (f16),
    and the largest matrix as 32-bit numbers, which OpenBLAS multiplies.

    Compared with what llama.cpp says that it reserves: equal for the llama architecture.
    """
    width, feed = header.number("embedding_length"), header.number("feed_forward_length")
    matrix = 4 * width * max(width, feed) if at_once > _FEW else 0
    return at_once * (4 * (4 * width + 3 * feed) + 2 * context) + matrix


def _logits(header: Header) -> int:
    return 4 * SEQUENCES * header.vocabulary


def _told(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / MIB:.0f} MiB"
