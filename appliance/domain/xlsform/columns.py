"""The columns of an XLSForm's sheets, by every name that they go under."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    "survey": {
        "command": "type",
        "tag": "name",
        "value": "name",
        "caption": "label",
        "relevance": "relevant",
        "bind::relevant": "relevant",
        "bind::constraint": "constraint",
        "bind::required": "required",
        "bind::readonly": "read_only",
        "readonly": "read_only",
        "bind::calculate": "calculation",
        "calculate": "calculation",
        "constraining_message": "constraint_message",
        "bind::jr:constraintmsg": "constraint_message",
        "jr:constraintmsg": "constraint_message",
        "requiredmsg": "required_message",
        "bind::jr:requiredmsg": "required_message",
        "jr:requiredmsg": "required_message",
        "count": "repeat_count",
        "jr:count": "repeat_count",
        "control::jr:count": "repeat_count",
        "control::appearance": "appearance",
        "body::appearance": "appearance",
        "media::image": "image",
        "media::big-image": "big-image",
        "media::audio": "audio",
        "media::video": "video",
    },
    "choices": {
        "list_name": "list_name",
        "value": "name",
        "caption": "label",
        "media::image": "image",
        "media::big-image": "big-image",
        "media::audio": "audio",
        "media::video": "video",
    },
    "settings": {
        "set_form_title": "form_title",
        "title": "form_title",
        "set_form_id": "form_id",
        "id_string": "form_id",
    },
}
LOCALISED: Final = frozenset(
    {"label", "hint", "constraint_message", "required_message", "guidance_hint"}
    | {"image", "big-image", "audio", "video"}
)
"""Columns that there may be one of for each language."""
CARRIED: Final = {
    "survey": frozenset(
        "type name label hint required required_message relevant constraint constraint_message default "
        "read_only appearance parameters choice_filter calculation repeat_count rows disabled".split()
    ),
    "choices": frozenset({"list_name", "name", "label"}),
    "settings": frozenset({"form_title", "form_id", "default_language", "style"}),
}
_GROUPS: Final = frozenset({"media", "bind", "control", "body", "instance", "caption"})
"""What comes before the first colon of older headers."""
IGNORED: Final = frozenset({"note", "notes", "comment", "comments", "order", "kuid", "$kuid", "list_order"})
"""What authors write for themselves."""


class Column(NamedTuple):
    """`language` is "" for a column without one."""

    name: str
    language: str = ""


def column(sheet: str, header: str) -> Column:
    """`Label::Français (fr)` is the label in that language; `caption` is a label too."""
    name, _, language = _parts(header)
    plain = re.sub(r"\s+", "_", name.strip().lower())
    aliases = ALIASES.get(sheet, {})
    plain = aliases.get(plain, plain)
    if plain in LOCALISED:
        return Column(plain, language.strip())
    if language:
        longer = re.sub(r"\s+", "", f"{plain}::{language}".lower())
        first, _, rest = longer.partition("::")
        inner, _, tongue = _parts(language)
        known = aliases.get(f"{first}::{inner.strip().lower()}")
        if known is not None:
            return Column(known, tongue.strip())
        return Column(aliases.get(longer, f"{first}::{rest}"))
    return Column(plain)


def _parts(header: str) -> tuple[str, str, str]:
    """Before and after `::`; `label:fr` with one colon is the older way."""
    if "::" in header:
        return header.partition("::")
    first, colon, rest = header.partition(":")
    if colon and re.sub(r"\s+", "_", first.strip().lower()) in LOCALISED | _GROUPS:
        return first, "::", rest
    return header, "", ""
