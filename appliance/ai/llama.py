"""llama.cpp, as much of it as is needed: weights, and contexts that work on tokens.

Importing this module loads the library; worker-ai does, and `appliance model bench`. Everything else here
asks for `Models` of `appliance.ai.models`. Calls are made from one thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.ai.breaks import Breaks
from appliance.ai.engine import ModelFault, Refused
from appliance.ai.memory import BATCH

# Threads of OpenMP spin while they wait for each other; on a host that does other work too, they wait for one
# that is not running. Read when the library is loaded. A minute's work became a second's.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import llama_cpp

_ABORTED = 2
_FULL = 1
_LEVEL_WARNING = 3
_heard: deque[str] = deque(maxlen=20)
"""What the library last complained about."""


def _listen(level: int, text: bytes, _: Any) -> None:
    if level >= _LEVEL_WARNING:
        _heard.append(text.decode("utf-8", "replace").strip())


_listener = llama_cpp.llama_log_callback(_listen)
# In the middle of a graph nothing of Python may be called: a signal handler would run in there, and what it
# raises would be lost. There, complaints are told to abs(3), which does nothing with them.
_deaf = ctypes.cast(ctypes.CDLL(None).abs, llama_cpp.llama_log_callback)


@contextlib.contextmanager
def _hearing() -> Iterator[None]:
    _heard.clear()
    llama_cpp.llama_log_set(_listener, ctypes.c_void_p(0))
    try:
        yield
    finally:
        llama_cpp.llama_log_set(_deaf, ctypes.c_void_p(0))


llama_cpp.llama_log_set(_deaf, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


def version() -> str:
    return str(llama_cpp.__version__)


class Weights:
    """A model's file, mapped into memory: its pages are read as they are needed. Raises ModelFault."""

    def __init__(self, path: Path) -> None:
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        # Repacked weights would be a second copy in memory, which cannot be given back when it runs short.
        params.use_extra_bufts = False
        self.path = path
        with _hearing():
            self.pointer: Any = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
        if not self.pointer:
            said = _heard[0] if _heard else "no reason is given"
            raise ModelFault(f"{path} cannot be loaded: {said}; next: appliance model check {path}")
        self.vocabulary: Any = llama_cpp.llama_model_get_vocab(self.pointer)
        self.size = int(llama_cpp.llama_vocab_n_tokens(self.vocabulary))

    def close(self) -> None:
        if self.pointer:
            llama_cpp.llama_model_free(self.pointer)
            self.pointer = None

    def tokens(self, text: str, *, special: bool = False, beginning: bool = False) -> list[int]:
        """`special`: what looks like a control token is one. Never so for what somebody else wrote."""
        raw = text.encode()
        room = len(raw) + 8
        found = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocabulary, raw, len(raw), found, room, beginning, special)
        if count < 0:
            raise Refused(f"a text of {len(raw)} bytes has more than {room} tokens")
        return list(found[:count])

    def piece(self, token: int) -> bytes:
        """The text of a token; control tokens have none."""
        buffer = ctypes.create_string_buffer(256)
        count = llama_cpp.llama_token_to_piece(self.vocabulary, token, buffer, 256, 0, False)
        return buffer.raw[: max(0, count)]

    def is_end(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self.vocabulary, token))

    def control(self, which: str) -> str:
        """The text of the `bos` or `eos` token, for chat templates."""
        token = getattr(llama_cpp, f"llama_vocab_{which}")(self.vocabulary)
        if token < 0:
            return ""
        return bytes(llama_cpp.llama_vocab_get_text(self.vocabulary, token)).decode("utf-8", "replace")

    def template(self) -> str | None:
        found = llama_cpp.llama_model_chat_template(self.pointer, None)
        return found.decode("utf-8", "replace") if found else None


class Context:
    """Keys and values of the tokens seen so far. Sequence 0 is what `feed` keeps. Raises ModelFault.

    An interrupt that a signal's handler raises leaves it usable: what was half done is taken out again.
    """

    def __init__(
        self,
        weights: Weights,
        tokens: int,
        threads: int,
        breaks: Breaks | None = None,
        *,
        sequences: int = 1,
        at_once: int = BATCH,
        embeds: bool = False,
    ) -> None:
        self.weights, self.room, self._breaks = weights, tokens, breaks
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = tokens
        params.n_batch = min(tokens, BATCH)
        params.n_ubatch = min(tokens, at_once)
        params.n_seq_max = sequences
        params.n_outputs_max = min(params.n_batch, 3 * sequences)
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        if embeds:
            params.embeddings = True
            params.n_outputs_max = params.n_batch
        self._batch_size = int(params.n_batch)
        with _hearing():
            self.pointer: Any = llama_cpp.llama_init_from_model(weights.pointer, params)
        if not self.pointer:
            said = _heard[-1] if _heard else "no reason is given"
            raise ModelFault(
                f"{weights.path}: no context of {tokens} tokens: {said}; next: appliance model check"
            )
        if breaks is not None:
            function = ctypes.cast(breaks.function, llama_cpp.ggml_abort_callback)
            llama_cpp.llama_set_abort_callback(self.pointer, function, breaks.asked)
        self._memory = llama_cpp.llama_get_memory(self.pointer)
        self._batch = llama_cpp.llama_batch_init(self._batch_size, 0, 1)
        self.held: list[int] = []
        """The tokens of sequence 0."""

    def close(self) -> None:
        if self.pointer:
            llama_cpp.llama_batch_free(self._batch)
            llama_cpp.llama_free(self.pointer)
            self.pointer = None

    def feed(self, tokens: Sequence[int]) -> Iterator[int]:
        """Have sequence 0 hold these tokens; how many it does, after each batch. The first are those from
        before.

        At least one is worked on, so that the logits are those of the last. Raises ModelFault when they
        are more than there is room for.
        """
        if len(tokens) > self.room:
            raise Refused(f"{len(tokens)} tokens are more than the {self.room} of the context")
        kept = min(_common(self.held, tokens), len(tokens) - 1)
        self.forget(kept)
        yield kept
        while len(self.held) < len(tokens):
            at = len(self.held)
            part = tokens[at : at + self._batch_size]
            rows = [(token, at + place, 0, False) for place, token in enumerate(part)]
            rows[-1] = (*rows[-1][:3], True)
            self.decode(rows)
            self.held.extend(part)
            yield len(self.held)

    def forget(self, keep: int = 0) -> None:
        """Take out of sequence 0 what comes after its first `keep` tokens."""
        del self.held[keep:]
        llama_cpp.llama_memory_seq_rm(self._memory, 0, keep, -1)

    def branch(self, sequence: int) -> None:
        """Begin another sequence with all that is in sequence 0; it shares its memory."""
        llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)

    def drop(self, sequence: int, keep: int = -1) -> None:
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, keep, -1)

    def decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """Work on (token, position, sequence, whether its logits are wanted); at most a batch of them."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for place, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[place] = token
            batch.pos[place] = position
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = sequence
            batch.logits[place] = wanted
        while True:
            if self._breaks is not None:
                self._breaks.begin()
            answer = llama_cpp.llama_decode(self.pointer, batch)
            if answer == 0:
                return
            for _, position, sequence, _ in rows:
                self.drop(sequence, position)
            if answer != _ABORTED:
                told = "it is full" if answer == _FULL else f"llama_decode answers {answer}"
                raise ModelFault(f"{self.weights.path}: {told}, with {len(rows)} tokens to work on")
            # The signal's handler has raised by now, or the signal is none of ours: then once more.

    def encode(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The pooled vector of a text, for models made for that."""
        self.decode([(token, place, 0, True) for place, token in enumerate(tokens)])
        row = llama_cpp.llama_get_embeddings_seq(self.pointer, 0)
        if not row:
            raise ModelFault(
                f"{self.weights.path} gives no vectors; next: name a model made for that with EMBEDDING_MODEL"
            )
        width = llama_cpp.llama_model_n_embd(self.weights.pointer)
        found = np.ctypeslib.as_array(row, shape=(width,)).astype(np.float32)
        if self._memory:
            self.drop(0, 0)
        return found

    def logits(self, place: int = -1) -> NDArray[np.float32]:
        """The same before they are made probabilities: llama.cpp's own memory, good until it decodes more."""
        row = llama_cpp.llama_get_logits_ith(self.pointer, place)
        found: NDArray[np.float32] = np.ctypeslib.as_array(row, shape=(self.weights.size,))
        return found

    def log_probabilities(self, place: int = -1) -> NDArray[np.float64]:
        """Over the vocabulary, after the row at `place` of the last batch."""
        logits = self.logits(place).astype(np.float64)
        logits -= logits.max()
        logits -= np.log(np.exp(logits).sum())
        return logits


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))
