"""Answers to file and signature questions. A file is in the answer itself, as under storeDataAsText, and is
held to what an upload is held to; or it was uploaded before, then its row is judged (`file_answers`).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from appliance.domain.element import Question
from appliance.domain.faults import Faults
from appliance.domain.field import REFUSED, Accept, Checks, Context, needs, refuse
from appliance.domain.file_rule import FileRule, file_of, file_rule
from appliance.domain.file_type import HEAD, disagrees, plain_name, plain_type
from appliance.domain.link import scheme_of
from appliance.domain.message import Message, Said

_NAMES: Final = ("name", "type", "content")
_SCHEMES: Final = frozenset({"", "data", "http", "https"})
"""Never a script: somebody will make the content a link."""
_DATA_URL: Final = re.compile(
    r"data:([A-Za-z0-9!#$&^_.+-]*/?[A-Za-z0-9!#$&^_.+-]*)(?:;[A-Za-z0-9=._+-]+)*,", re.ASCII
)

_ENCODED: Final = 4 * (HEAD // 3 + 1)
"""Characters of base64 that the first bytes take."""


def file_checks(question: Question, context: Context) -> Checks:
    node = question.node
    most = int(node.value("maxFiles")) if node.flag("allowMultiple") else 1
    return Checks(_accept_files(most, file_rule(question)))


def signature_checks(question: Question, context: Context) -> Checks:
    as_text, drawn = question.node.flag("storeDataAsText"), question.node.text("dataFormat") == "svg"

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, str):
            return refuse(faults, path, needs("a string", value))
        if as_text and not _is_picture(value, drawn=drawn):
            return refuse(faults, path, "a data: URL of an image is needed")
        return value

    return Checks(accept)


def _is_picture(content: str, *, drawn: bool) -> bool:
    """A drawing (SVG) may hold scripts, so one is taken only where the form asks for it."""
    header = _DATA_URL.match(content)
    kind = "" if header is None else header[0].lower()
    return kind.startswith("data:image/") and (drawn or not kind.startswith("data:image/svg"))


def _accept_files(most: int, rule: FileRule) -> Accept:
    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list):
            return refuse(faults, path, needs("an array", value))
        if most and len(value) > most:
            return refuse(faults, path, Message("exceedMaxFiles", (most,)))
        found = [_accept_file(item, f"{path}/{place}", faults, rule) for place, item in enumerate(value)]
        return REFUSED if REFUSED in found else found

    return accept


def _accept_file(item: Any, path: str, faults: Faults, rule: FileRule) -> object:
    if not isinstance(item, dict):
        return refuse(faults, path, needs("an object {name, type, content}", item))
    for name, value in item.items():
        if name not in _NAMES:
            return refuse(faults, path, "a file is {name, type, content}")
        if not isinstance(value, str):
            return refuse(faults, f"{path}/{name}", needs("a string", value))
    if not item.get("name") or not item.get("content"):
        return refuse(faults, path, "a file needs its name and content")
    content = item["content"]
    if scheme_of(content) not in _SCHEMES:
        return refuse(faults, f"{path}/content", "a data: URL or an address by http or https is needed")
    name = plain_name(item["name"])
    if file_of(content) is None and (fault := _fault(content, name, item, rule)):
        return refuse(faults, path, fault)
    return item if name == item["name"] else {**item, "name": name}


def _fault(content: str, name: str, item: dict[str, str], rule: FileRule) -> Said | None:
    """What is wrong with a file that was not uploaded; of one at an address, with what is said of it."""
    header = _DATA_URL.match(content)
    if header is None:
        return rule.fault(name, plain_type(item.get("type"), name), 0)
    kind = plain_type(item.get("type") or header[1], name)
    is_base64 = header[0].endswith(";base64,")
    if fault := rule.fault(name, kind, _size(content, header.end(), is_base64)):
        return fault
    head = _head(content[header.end() : header.end() + 4 * _ENCODED], is_base64)
    return "the content of this data: URL is not base64" if head is None else disagrees(head, kind, name)


def _size(content: str, begin: int, is_base64: bool) -> int:
    """Bytes that a data: URL holds, from its length alone."""
    body = len(content) - begin
    return body * 3 // 4 - content[-2:].count("=") if is_base64 else body


def _head(body: str, is_base64: bool) -> bytes | None:
    """The first bytes of a data: URL's body, as browsers read one (RFC 2397); None where that cannot be."""
    found = unquote_to_bytes(body)
    if is_base64:
        plain = b"".join(found.split()).rstrip(b"=")[:_ENCODED]
        try:
            found = base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
        except binascii.Error:
            return None
    return found[:HEAD]
