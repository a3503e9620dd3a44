"""Answers to file and signature questions. A file is in the answer itself, as under storeDataAsText."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from appliance.domain.element import Question
from appliance.domain.faults import Faults
from appliance.domain.field import REFUSED, Accept, Checks, Context, needs, refuse
from appliance.domain.survey_core import TEXTS
from appliance.domain.values import fill

_NAMES: Final = ("name", "type", "content")
_DATA_URL: Final = re.compile(
    r"data:[A-Za-z0-9!#$&^_.+-]*/?[A-Za-z0-9!#$&^_.+-]*(?:;[A-Za-z0-9=._+-]+)*,", re.ASCII
)


def file_checks(question: Question, context: Context) -> Checks:
    node = question.node
    most = int(node.value("maxFiles")) if node.flag("allowMultiple") else 1
    return Checks(_accept_files(most, int(node.value("maxSize"))))


def signature_checks(question: Question, context: Context) -> Checks:
    as_text = question.node.flag("storeDataAsText")

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, str):
            return refuse(faults, path, needs("a string", value))
        if as_text and _DATA_URL.match(value) is None:
            return refuse(faults, path, "a data: URL is needed")
        return value

    return Checks(accept)


def _accept_files(most: int, size: int) -> Accept:
    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list):
            return refuse(faults, path, needs("an array", value))
        if most and len(value) > most:
            return refuse(faults, path, fill(TEXTS["exceedMaxFiles"], most))
        found = [_accept_file(item, f"{path}/{place}", faults, size) for place, item in enumerate(value)]
        return REFUSED if REFUSED in found else found

    return accept


def _accept_file(item: Any, path: str, faults: Faults, most: int) -> object:
    if not isinstance(item, dict):
        return refuse(faults, path, needs("an object {name, type, content}", item))
    for name, value in item.items():
        if name not in _NAMES:
            return refuse(faults, path, "a file is {name, type, content}")
        if not isinstance(value, str):
            return refuse(faults, f"{path}/{name}", needs("a string", value))
    if not item.get("name") or not item.get("content"):
        return refuse(faults, path, "a file needs its name and content")
    if most > 0 and _size(item["content"]) > most:
        return refuse(faults, path, fill(TEXTS["exceedMaxSize"], size_text(most)))
    return item


def _size(content: str) -> int:
    """Bytes that a data: URL holds, from its length alone; 0 for an address."""
    header = _DATA_URL.match(content)
    if header is None:
        return 0
    body = len(content) - header.end()
    return body * 3 // 4 - content[-2:].count("=") if header[0].endswith(";base64,") else body


def size_text(size: int) -> str:
    """ExceedSizeError.getTextSize."""
    power = min(int(math.log(size) / math.log(1024)), 4)
    return f"{size / 1024**power:.{(0, 0, 2, 3, 3)[power]}f} {TEXTS['fileSizeUnits'].split(', ')[power]}"
