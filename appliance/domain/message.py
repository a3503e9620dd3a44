"""What is said of an answer, worded once it is known in which language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.domain.survey_core import text
from appliance.domain.values import fill, js_text, text_in

Wording = Callable[[str], str]
"""The words, given survey-core's name of a language; "" is the default one."""


@dataclass(frozen=True, slots=True)
class Message:
    """survey-core's text `key` with its values, or what the form says instead.

    A value that depends on the language is a Wording.
    """

    key: str
    values: tuple[object, ...] = ()
    own: object = None
    """A localisable string of the form."""
    fills_own: bool = False
    """Whether the form's text has a place for the value too, the first `{0}`, as those of limits have."""

    def told(self, language: str) -> str:
        own = text_in(self.own, language)
        if own and not self.fills_own:
            return own
        values = [one(language) if callable(one) else js_text(one) for one in self.values]
        words = own or text(self.key, language)
        return words.replace("{0}", values[0], 1) if self.fills_own else fill(words, *values)


Said = str | Message
"""Words of our own, which are English, or survey-core's."""
