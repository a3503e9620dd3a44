"""Which token comes next, of those that the model thinks likely.

A grammar is asked last and about one token: whether it may follow. Only where it may not, all 49,000 are
looked at. To ask about all each time takes longer than the model itself (seconds a token in a string).
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import llama_cpp
import numpy as np
from llama_cpp.llama_grammar import json_schema_to_gbnf

from appliance.ai import schemas
from appliance.ai.engine import Refused
from appliance.ai.llama import Context, Weights

_CANDIDATE: Final = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])


class Wish(NamedTuple):
    """How to generate; see `engine.Generate`."""

    most: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...]
    schema: Mapping[str, Any] | None


class Sampler:
    def __init__(self, chain: Any, grammar: Any) -> None:
        self._chain, self._grammar = chain, grammar

    def next(self, context: Context) -> int:
        """The token that follows what the context has decoded last."""
        token = int(llama_cpp.llama_sampler_sample(self._chain, context.pointer, -1))
        if self._grammar is None:
            return token
        if not self._may_follow(token):
            token = self._among_all(context)
        llama_cpp.llama_sampler_accept(self._grammar, token)
        return token

    def _may_follow(self, token: int) -> bool:
        one = np.array([(token, 1.0, 0.0)], dtype=_CANDIDATE)
        llama_cpp.llama_sampler_apply(self._grammar, ctypes.byref(_listed(one)))
        return bool(np.isfinite(one["logit"][0]))

    def _among_all(self, context: Context) -> int:
        logits = context.logits()
        every = np.zeros(len(logits), dtype=_CANDIDATE)
        every["id"], every["logit"] = np.arange(len(logits)), logits
        listed = _listed(every)
        llama_cpp.llama_sampler_apply(self._grammar, ctypes.byref(listed))
        if not np.isfinite(every["logit"]).any():  # llama.cpp would end the process
            raise Refused("the model has no token for what the JSON Schema asks for next")
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(listed))
        return int(listed.data[listed.selected].id)


def _listed(candidates: np.ndarray[Any, Any]) -> Any:
    data = candidates.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
    return llama_cpp.llama_token_data_array(data=data, size=len(candidates), selected=-1, sorted=False)


@contextmanager
def opened(weights: Weights, wish: Wish) -> Iterator[Sampler]:
    """Raises Refused when no grammar can be made of the schema."""
    grammar = None if wish.schema is None else _grammar(weights, wish.schema)
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    try:
        for part in _parts(wish):
            llama_cpp.llama_sampler_chain_add(chain, part)
        yield Sampler(chain, grammar)
    finally:
        llama_cpp.llama_sampler_free(chain)
        if grammar is not None:
            llama_cpp.llama_sampler_free(grammar)


def _parts(wish: Wish) -> Iterator[Any]:
    if wish.temperature <= 0:
        yield llama_cpp.llama_sampler_init_greedy()
        return
    if wish.top_p < 1:
        yield llama_cpp.llama_sampler_init_top_p(wish.top_p, 1)
    yield llama_cpp.llama_sampler_init_temp(wish.temperature)
    yield llama_cpp.llama_sampler_init_dist(wish.seed & 0xFFFFFFFF)


def _grammar(weights: Weights, schema: Mapping[str, Any]) -> Any:
    held = json.dumps(schemas.kept(schema))
    try:
        rules = json_schema_to_gbnf(held)
    except Exception as fault:  # its errors are of every kind
        raise Refused(f"no grammar can be made of this JSON Schema: {fault}") from None
    found = llama_cpp.llama_sampler_init_grammar(weights.vocabulary, rules.encode(), b"root")
    if not found:
        raise Refused("no grammar can be made of this JSON Schema")
    return found
