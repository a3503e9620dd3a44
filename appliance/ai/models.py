"""The models that are loaded: each when it is first needed, and no longer than somebody needs it.

Contract: one `Models` a process, used by one thread. Text that scores labels and text that generates have a
context each over the same weights, so that neither takes the other's beginning out of the cache. A model that
cannot be loaded raises ModelFault each time it is asked for, and nothing else suffers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from appliance.ai import gguf, memory
from appliance.ai.chosen import EMBEDDED, Chosen, Counts
from appliance.ai.engine import Message, ModelFault, Piece, Scores, Usage, Vectors
from appliance.ai.gguf import Header
from appliance.ai.memory import SCORING, SEQUENCES, Fit

if TYPE_CHECKING:
    from appliance.ai.breaks import Breaks
    from appliance.ai.llama import Context, Weights


class Models:
    """An `engine.Engine`. Methods raise ModelFault."""

    def __init__(
        self, chosen: Chosen, breaks: Breaks | None = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.chosen, self.counts = chosen, Counts()
        self._breaks, self._now = breaks, now
        self._weights: Weights | None = None
        self._embedder: Context | None = None
        self._chat: Context | None = None
        self._scoring: Context | None = None
        self._fit = Fit(0, memory.Need(0, 0, 0), is_tight=False)
        self.used = now()

    # -- what is asked

    def embed(self, texts: Sequence[str]) -> Vectors:
        context = self._open_embedder()
        weights = context.weights
        rows = np.zeros((len(texts), 0), dtype=np.float32)
        for place, text in enumerate(texts):
            tokens = weights.tokens(text[: EMBEDDED * 16], beginning=True)
            if len(tokens) > EMBEDDED:
                tokens = [*tokens[: EMBEDDED - 1], tokens[-1]]  # the last one ends a text
            row = context.encode(tokens)
            if not rows.shape[1]:
                rows = np.zeros((len(texts), row.size), dtype=np.float32)
            rows[place] = row / (np.linalg.norm(row) or 1.0)
            self.counts.embedded += 1
            self.counts.prompt += len(tokens)
        self.used = self._now()
        return rows

    def score_many(self, prefix: str, rests: Sequence[str], labels: Sequence[str]) -> Scores:
        from appliance.ai import scoring

        context = self._open_scoring()
        started = self._now()
        with self._whole(context):
            found, usage = scoring.score(context, prefix, rests, labels)
        self._count(usage, self._now() - started, 0)
        self.counts.scored += len(rests)
        return found

    def generate(
        self,
        messages: Sequence[Message],
        *,
        most: int = 256,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
    ) -> Iterator[Piece]:
        from appliance.ai import generation, sampling

        context = self._open_chat()
        wish = sampling.Wish(most, temperature, top_p, seed, tuple(stop), schema)
        started = begun = self._now()
        usage = Usage()
        try:
            with self._whole(context):
                for piece in generation.generate(context, messages, wish):
                    usage = piece.usage
                    if not usage.generated:
                        begun = self._now()
                    yield piece
        finally:
            self._count(usage, begun - started, self._now() - begun)

    # -- what is loaded

    @property
    def loaded(self) -> bool:
        return self._weights is not None or self._embedder is not None

    @property
    def room(self) -> int:
        """Tokens of the chat's context, once it is loaded."""
        return self._fit.context

    def idle(self) -> float:
        """Seconds since something was asked."""
        return self._now() - self.used

    def close(self) -> None:
        """Give the memory back; the next question loads anew."""
        for context in (self._chat, self._scoring):
            if context is not None:
                context.close()
        if self._weights is not None:
            self._weights.close()
        if self._embedder is not None:
            weights = self._embedder.weights
            self._embedder.close()
            weights.close()
        self._weights = self._embedder = self._chat = self._scoring = None

    def _open_embedder(self) -> Context:
        if self._embedder is None:
            from appliance.ai.llama import Context, Weights

            path = self.chosen.embedding
            if path is None:
                raise ModelFault("there is no model for vectors; next: appliance status says how to get one")
            header = gguf.read(path)
            memory.fit(header, self.chosen.memory, EMBEDDED)
            started = self._now()
            weights = Weights(path)
            self._embedder = Context(weights, EMBEDDED, self.chosen.threads, self._breaks, embeds=True)
            self._loaded(started)
        return self._embedder

    def _open_weights(self) -> Weights:
        if self._weights is None:
            from appliance.ai.llama import Weights

            path = self.chosen.chat
            if path is None:
                raise ModelFault("there is no language model; next: appliance status says how to get one")
            header = gguf.read(path)
            if header.is_embedder:
                raise ModelFault(f"{path} makes vectors and no text; next: name it with EMBEDDING_MODEL")
            self._fit = memory.fit(header, self.chosen.memory, self.chosen.context, self._beside())
            started = self._now()
            self._weights = Weights(path)
            self._loaded(started)
        return self._weights

    def _beside(self) -> Header | None:
        """The model for vectors, when it can be used: it may be loaded at any time."""
        with contextlib.suppress(ModelFault):
            return gguf.read(self.chosen.embedding) if self.chosen.embedding else None
        return None

    def _open_chat(self) -> Context:
        if self._chat is None:
            self._chat = self._context(self._open_weights(), self._fit)
        return self._chat

    def _open_scoring(self) -> Context:
        weights, found = self._open_weights(), self._fit
        if found.is_tight:
            return self._open_chat()
        if self._scoring is None:
            short = found._replace(context=min(SCORING, found.context))
            self._scoring = self._context(weights, short, sequences=SEQUENCES)
        return self._scoring

    def _context(self, weights: Weights, found: Fit, *, sequences: int = 1) -> Context:
        from appliance.ai.llama import Context

        return Context(
            weights,
            found.context,
            self.chosen.threads,
            self._breaks,
            sequences=SEQUENCES if found.is_tight else sequences,
            at_once=found.at_once,
        )

    def _loaded(self, started: float) -> None:
        self.counts.loads += 1
        self.counts.load_seconds += self._now() - started

    def _whole(self, context: Context) -> _Whole:
        return _Whole(context)

    def _count(self, usage: Usage, prompt_seconds: float, generate_seconds: float) -> None:
        self.used = self._now()
        one = Counts(
            prompt=usage.prompt,
            cached=usage.cached,
            generated=usage.generated,
            prompt_seconds=prompt_seconds,
            generate_seconds=generate_seconds,
        )
        for field in dataclasses.fields(Counts):
            setattr(self.counts, field.name, getattr(self.counts, field.name) + getattr(one, field.name))


class _Whole:
    """What was broken off leaves nothing behind that a later question would trip over."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and kind is not GeneratorExit:
            self._context.forget()
