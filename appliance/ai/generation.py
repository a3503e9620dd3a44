"""Answers to a chat, a piece at a time."""

from __future__ import annotations

import codecs
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from appliance.ai import sampling
from appliance.ai.engine import Message, ModelFault, Piece, Refused, Usage
from appliance.ai.llama import Context, Weights
from appliance.ai.sampling import Sampler, Wish


def prompt(weights: Weights, messages: Sequence[Message]) -> list[int]:
    """The tokens of the model's own chat template around the messages.

    What the messages say is cut into tokens apart from the template, so that no text of theirs becomes one of
    the control tokens that end a message or begin another role's.
    """
    template = weights.template()
    if template is None:
        raise ModelFault(
            f"{weights.path} has no chat template: it was not made for conversations;"
            " next: take its 'instruct' or 'chat' variant"
        )
    marks = [secrets.token_hex(8) for _ in messages]
    formatter = Jinja2ChatFormatter(
        template,
        eos_token=weights.control("eos"),
        bos_token=weights.control("bos"),
        add_generation_prompt=True,
    )
    told: list[Any] = [{"role": one.role, "content": mark} for one, mark in zip(messages, marks, strict=True)]
    try:
        rest = formatter(messages=told).prompt
    except Exception as fault:  # whatever a template of somebody else's raises
        raise Refused(f"the chat template of {weights.path} refuses these messages: {fault}") from None
    tokens: list[int] = []
    for message, mark in zip(messages, marks, strict=True):
        if mark in rest:  # a template may leave a role out
            before, _, rest = rest.partition(mark)
            tokens += weights.tokens(before, special=True) + weights.tokens(message.content)
    return tokens + weights.tokens(rest, special=True)


def generate(context: Context, messages: Sequence[Message], wish: Wish) -> Iterator[Piece]:
    """Empty pieces while the prompt is being worked on, then the answer as it comes."""
    tokens = prompt(context.weights, messages)
    if len(tokens) >= context.room:
        raise Refused(f"the messages have {len(tokens)} tokens, and the context has room for {context.room}")
    cached = 0
    with sampling.opened(context.weights, wish) as sampler:  # first, since it may be refused
        for place, done in enumerate(context.feed(tokens)):
            cached = done if place == 0 else cached
            yield Piece("", None, Usage(done, cached, 0))
        yield from _answer(context, sampler, wish, Usage(len(tokens), cached, 0))


def _answer(context: Context, sampler: Sampler, wish: Wish, usage: Usage) -> Iterator[Piece]:
    text = _Text(wish.stop)
    most = min(wish.most, context.room - usage.prompt)
    for generated in range(1, most + 1):
        token = sampler.next(context)
        usage = usage._replace(generated=generated)
        if context.weights.is_end(token):
            yield Piece(text.rest(), "stop", usage)
            return
        piece = text.add(context.weights.piece(token))
        if text.stopped:
            yield Piece(piece, "stop", usage)
            return
        if generated == most:
            break
        yield Piece(piece, None, usage)
        context.decode([(token, len(context.held), 0, True)])
        context.held.append(token)
        piece = ""
    yield Piece(piece + text.rest(), "length", usage)


class _Text:
    """Bytes of tokens made text: a character may come in parts, and so may a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def add(self, raw: bytes) -> str:
        """What can be told by now."""
        self._held += self._decoder.decode(raw)
        ends = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if ends:
            self.stopped = True
            return self._held[: min(ends)]
        told = len(self._held) - self._unsure()
        piece, self._held = self._held[:told], self._held[told:]
        return piece

    def rest(self) -> str:
        return self._held + self._decoder.decode(b"", final=True)

    def _unsure(self) -> int:
        """How many characters at the end may begin a stop string."""
        longest = 0
        for stop in self._stops:
            for count in range(1, min(len(stop), len(self._held) + 1)):
                if self._held.endswith(stop[:count]):
                    longest = max(longest, count)
        return longest
