"""The types of XLSForm questions, by every name that they go under, and what they become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.xlsform.names import Kind


@dataclass(frozen=True, slots=True)
class Simple:
    """A type that becomes one question: its properties, and what its answer is to expressions."""

    kind: Kind
    properties: Mapping[str, Any]


def _text(**more: Any) -> Mapping[str, Any]:
    return {"type": "text", **more}


def _file(accepted: str) -> Mapping[str, Any]:
    return {"type": "file", **({"acceptedTypes": accepted} if accepted else {})}


SIMPLE: Final[Mapping[str, Simple]] = {
    "text": Simple("text", _text()),
    "integer": Simple("number", _text(inputType="number", step=1)),
    "decimal": Simple("number", _text(inputType="number")),
    "range": Simple("number", {"type": "slider"}),
    "date": Simple("date", _text(inputType="date")),
    "time": Simple("date", _text(inputType="time")),
    "datetime": Simple("date", _text(inputType="datetime-local")),
    "barcode": Simple("text", _text()),
    "acknowledge": Simple("list", {"type": "checkbox"}),
    "image": Simple("file", _file("image/*")),
    "audio": Simple("file", _file("audio/*")),
    "video": Simple("file", _file("video/*")),
    "file": Simple("file", _file("")),
    "note": Simple("nothing", {"type": "html"}),
    "calculate": Simple("any", {}),
    "hidden": Simple("any", {}),
}


def _spelled(name: str, *spellings: str) -> dict[str, str]:
    return dict.fromkeys(spellings, name)


ALIASES: Final[Mapping[str, str]] = {
    **_spelled("text", "string", "q string", "add text prompt", "phone number"),
    **_spelled("integer", "int", "q int", "add integer prompt", "percentage"),
    **{f"number of days in last {span}": "integer" for span in ("month", "six months", "year")},
    **_spelled("decimal", "q decimal", "add decimal prompt"),
    **_spelled("range", "q range"),
    **_spelled("note", "q note", "add note prompt"),
    **_spelled("date", "q date", "add date prompt"),
    **_spelled("time", "select time"),
    **_spelled(
        "datetime", "date time", "q datetime", "q date time", "add datetime prompt", "add date time prompt"
    ),
    **_spelled("barcode", "q barcode", "add barcode prompt"),
    **_spelled("acknowledge", "trigger", "q acknowledge", "add acknowledge prompt"),
    **_spelled("image", "photo", "q image", "q picture", "add image prompt", "add photo prompt"),
    **_spelled("audio", "q audio", "add audio prompt"),
    **_spelled("video", "q video", "add video prompt"),
    **_spelled("file", "add file prompt"),
    **_spelled("calculate", "calculation", "q calculate", "add calculate prompt"),
    **_spelled("start", "start time", "get start time"),
    **_spelled("end", "end time", "get end time"),
    **_spelled("today", "get today"),
    **_spelled("deviceid", "device id", "get device id", "imei", "uri:deviceid"),
    **_spelled("username", "uri:username"),
    **_spelled("email", "uri:email"),
    **_spelled("phonenumber", "get phone number", "uri:phonenumber"),
    **_spelled("simserial", "sim id", "get sim id", "uri:simserial"),
    **_spelled("subscriberid", "subscriber id", "get subscriber id", "uri:subscriberid"),
    **_spelled("geopoint", "gps", "location", "q geopoint", "q location", "add location prompt"),
    **_spelled("geotrace", "q geotrace"),
    **_spelled("geoshape", "q geoshape"),
}
LEFT_OUT: Final[Mapping[str, str]] = {
    "start": "when an answer was begun is in the response's `meta`",
    "end": "when an answer was sent is the response's `created_at`",
    "today": "the day of an answer is in the response's `created_at`",
    "deviceid": "devices are not known",
    "username": "who answered is the response's `submitter`",
    "email": "the address of an account is not put into answers",
    "phonenumber": "telephone numbers of devices are not known",
    "simserial": "devices are not known",
    "subscriberid": "devices are not known",
    "audit": "the way through a form is not logged",
    "background-audio": "nothing is recorded in the background",
    "background-geopoint": "positions are not recorded",
    "geopoint": "positions are not recorded",
    "geotrace": "positions are not recorded",
    "geoshape": "positions are not recorded",
    "start-geopoint": "positions are not recorded",
    "osm": "maps are not supported",
    "xml-external": "files beside the form are not imported",
    "csv-external": "files beside the form are not imported",
}
"""Types without a counterpart, and why."""
BLOCKS: Final[Mapping[str, str]] = {
    "group": "group",
    "repeat": "repeat",
    "lgroup": "repeat",
    "looped group": "repeat",
}
_SELECTS: Final = (
    ("select_one", "one"),
    ("select one from", "one"),
    ("select one", "one"),
    ("select1", "one"),
    ("select one using", "one"),
    ("q select1", "one"),
    ("add select one prompt using", "one"),
    ("select_multiple", "multiple"),
    ("select multiple from", "multiple"),
    ("select multiple", "multiple"),
    ("select all that apply from", "multiple"),
    ("select all that apply", "multiple"),
    ("select multiple using", "multiple"),
    ("q select", "multiple"),
    ("add select multiple prompt using", "multiple"),
    ("rank", "rank"),
    ("odk:rank", "rank"),
)
_FILES: Final = re.compile(r"(?:select|add select)[ _](?:one|multiple)[ _](?:from[ _]file|external)\b", re.I)
_SELECT: Final = re.compile(
    "(?P<verb>"
    + "|".join(re.escape(verb) for verb, _ in sorted(_SELECTS, key=lambda row: -len(row[0])))
    + r")\s+(?P<list>\S+)(?P<other>\s+(?:or[ _]other|or specify other))?",
    re.IGNORECASE,
)
_BLOCK: Final = re.compile(r"(?P<end>begin|end)[ _](?P<what>.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Type:
    """`what` is begin, end, simple, one, multiple, rank, from file, left out or unknown; `name` the type,
    block or list.
    """

    what: str
    name: str
    other: bool = False


def read_type(text: str) -> Type:
    plain = " ".join(text.split())
    name = ALIASES.get(plain.lower(), plain.lower())
    if name in SIMPLE or name in LEFT_OUT:
        return Type("simple" if name in SIMPLE else "left out", name)
    if _FILES.match(plain):
        return Type("from file", plain.split()[-1])
    if (found := _SELECT.fullmatch(plain)) is not None:
        return Type(dict(_SELECTS)[found["verb"].lower()], found["list"], bool(found["other"]))
    if (block := _BLOCK.fullmatch(plain)) is not None and (kind := BLOCKS.get(block["what"].lower())):
        return Type(block["end"].lower(), kind)
    return Type("unknown", plain)
