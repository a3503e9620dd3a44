"""Answers that may be spam, abuse or an attempt on the model: suspected by rules that can be read, never
removed.

Each suspicion has a name and is a hint for a person: an honest answer may well have links in it, or be
angry.
"""

from __future__ import annotations

import re
import zlib
from typing import Final, Literal

from appliance.ai.texts import links, sentences, words

Suspicion = Literal["links", "repetition", "gibberish", "advertising", "abuse", "instructions"]

_ADVERTISING: Final = (
    r"buy now|click here|limited (time )?offer|act now|order now|free (gift|trial|money|bonus|spins)",
    r"work from home|make money( online| fast)?",
    r"earn \$?\d+|100% (free|guaranteed)|casino|viagra|cialis|forex|payday loans?",
    r"crypto(currency)? (invest\w*|profits?)|seo services?|backlinks?|weight loss|whats ?app me|risk[- ]free",
    r"telegram (group|channel)|investment opportunity|promo ?code|cheap (pills|watches|loans?)",
)
_INSULT: Final = r"(idiots?|morons?|bitch(es)?|cunts?|bastards?|assholes?|retards?|scum|pigs?|whores?|sluts?)"
_ABUSE: Final = (
    rf"(you|ur|u)('re| are|r)? (all )?(a |an |such )?(fucking |stupid |bloody |dumb )?{_INSULT}",
    rf"(stupid|dumb|fat|ugly|fucking) {_INSULT}|fuck (you|off|u)|piece of shit|go to hell|subhumans?",
    r"kill (yourself|urself|you all|them all)|kys|(go|hope you|should) die",
    r"(i('ll| will)|we('ll| will)|going to) (kill|hurt|beat|shoot|stab|find) (you|him|her|them)",
    r"n[i1]gg(er|a)s?|f[a4]gg?ots?|k[i1]kes?|tr[a4]nn(y|ies)",
)
_MOODS: Final = r"(positive|negative|neutral)"
_INSTRUCTIONS: Final = (
    r"(ignore|disregard|forget|override|bypass)\b.{0,40}\b(instructions?|prompts?|rules|guidelines|above|previous)",
    r"(you are|act as|pretend to be|from now on)\b.{0,30}\b(ai|assistant|model|chatbot|dan|jailbroken)",
    r"system prompt|developer mode|language model|(answer|reply|respond|output|print|say) (only|just|with)\b",
    rf"(classify|label|mark|treat|count|score) (this|it|the|all|every|me)\b.{{0,40}}\b{_MOODS}",
    rf"(answer|output|sentiment|label|mood)\"?( must be| is|\s?[:=])\s?\"?{_MOODS}",
)
_MARKUP: Final = re.compile(
    r"<\|?/?(im_start|im_end|system|assistant|user|endoftext|inst)\b|\[/?inst\]|^(system|assistant|instruction)\s?:"
    r"|^#{2,}\s?(instruction|response|system)",
    re.IGNORECASE | re.MULTILINE,
)


def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)


_ADVERTISES, _ABUSES, _INSTRUCTS = _any(_ADVERTISING), _any(_ABUSE), _any(_INSTRUCTIONS)
_SAME: Final = re.compile(r"([^\s.!?\-_=*])\1{9,}")
_VOWELS: Final = frozenset("aeiouyàáâäæãåèéêëìíîïòóôöøœùúûüýÿ")
_READ: Final = 4_000


def suspicions(text: str) -> tuple[Suspicion, ...]:
    """What a clean text is suspected of, in a fixed order; none for most."""
    read = text[:_READ]
    listed = words(read)
    found: dict[Suspicion, bool] = {
        "links": links(read) >= 3 or (links(read) >= 1 and len(listed) <= 12),
        "repetition": _repeats(read, listed),
        "gibberish": _is_gibberish(listed),
        "advertising": bool(_ADVERTISES.search(read)),
        "abuse": bool(_ABUSES.search(read)),
        "instructions": _instructs(read),
    }
    return tuple(name for name, holds in found.items() if holds)


def without_instructions(text: str) -> str:
    """A clean text without the sentences that speak to a machine; empty when there are no others. A text that
    has none is as it was.
    """
    read = text[:_READ]
    return " ".join(one for one in sentences(read) if not _instructs(one)) if _instructs(read) else text


def is_gibberish(text: str) -> bool:
    """Of a clean text."""
    return _is_gibberish(words(text[:_READ]))


def _instructs(text: str) -> bool:
    return bool(_INSTRUCTS.search(text) or _MARKUP.search(text))


def _repeats(text: str, listed: list[str]) -> bool:
    """One sign ten times over, one word most of the time, or a text that packs to a tenth of its size."""
    if _SAME.search(text):
        return True
    if len(listed) >= 12 and len({word.lower() for word in listed}) <= len(listed) / 5:
        return True
    raw = text.encode()
    return len(raw) >= 300 and len(zlib.compress(raw)) < len(raw) / 10


def _is_gibberish(listed: list[str]) -> bool:
    """Latin words that cannot be said: hardly a vowel, or a run of keys."""
    latin = [word.lower() for word in listed if len(word) >= 4 and word.isalpha() and max(word) < "\u0250"]
    if not latin or len(latin) < len(listed) / 3:
        return False
    odd = sum(_is_odd(word) for word in latin)
    return odd / len(latin) > 0.5


def _is_odd(word: str) -> bool:
    share = sum(letter in _VOWELS for letter in word) / len(word)
    consonants = max((len(run) for run in re.split(r"[aeiouyàáâäæãåèéêëìíîïòóôöøœùúûüýÿ]+", word)), default=0)
    return len(word) > 25 or share < 0.15 or consonants >= 6 or any(row in word for row in _KEYS)


_KEYS: Final = ("asdf", "sdfg", "dfgh", "fghj", "ghjk", "hjkl", "qwer", "zxcv", "xcvb", "fdsa")
