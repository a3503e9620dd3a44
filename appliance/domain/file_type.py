"""What a file is: by its name, by what its sender says, and by its first bytes.

The bytes are judged by `filetype`. What it has no signature for is believed, unless it is no text and has
the signature of something else.
"""

from __future__ import annotations

import mimetypes
import re
from typing import Final

import filetype

HEAD: Final = 8192
"""Bytes that are looked at."""
UNKNOWN: Final = "application/octet-stream"
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,90}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST_NAME: Final = 200
_NAMES: Final = mimetypes.MimeTypes()
_ENDINGS: Final = {one.extension: one.mime for one in filetype.TYPES}
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIPPED: Final = re.compile(
    r"application/(zip|x-zip-compressed|epub\+zip|java-archive|vnd\.openxmlformats-.*|vnd\.oasis\.opendocument.*"
    r"|vnd\.ms-\w+\.\w+\.macroenabled\.12)"
)
_OLD_OFFICE: Final = re.compile(
    r"application/(msword|vnd\.ms-(excel|powerpoint|outlook)|x-msi|x-ole-storage)"
)
_HEIF: Final = re.compile(r"image/(hei[cf](-sequence)?|avif)")
_SAME: Final = {
    "image/apng": "image/png",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "image/vnd.microsoft.icon": "image/x-icon",
    "application/x-gzip": "application/gzip",
    "application/x-rar": "application/x-rar-compressed",
    "application/vnd.rar": "application/x-rar-compressed",
    "application/x-pdf": "application/pdf",
    "application/postscript": "application/pdf",
    "application/illustrator": "application/pdf",
    "text/rtf": "application/rtf",
    "application/ogg": "audio/ogg",
    "application/x-bzip": "application/x-bzip2",
    "application/vnd.sqlite3": "application/x-sqlite3",
    "application/x-photoshop": "image/vnd.adobe.photoshop",
    "application/vnd.microsoft.portable-executable": "application/x-msdownload",
    **dict.fromkeys(("font/ttf", "font/otf", "font/sfnt", "application/x-font-ttf"), "application/font-sfnt"),
    **dict.fromkeys(("font/woff", "font/woff2", "application/font-woff2"), "application/font-woff"),
}
_PROGRAMS: Final = {"application/x-msdownload", "application/x-executable"}


def plain_type(given: str | None, name: str) -> str:
    """The type in lower case, without parameters; octet-stream for what is none. Of CSV, Windows says that it
    is Excel's.
    """
    kind = (given or "").partition(";")[0].strip().lower()
    if kind == "application/vnd.ms-excel" and name.lower().endswith(".csv"):
        return "text/csv"
    return kind if _TYPE.fullmatch(kind) else UNKNOWN


def plain_name(given: str | None) -> str:
    """As data: without folders, control characters and marks that turn the direction of what follows."""
    name = _CONTROLS.sub("", (given or "").replace("\\", "/").rpartition("/")[2]).strip()
    if len(name) > _LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        kept = dot + ending if stem and len(ending) < 20 else ""
        name = name[: _LONGEST_NAME - len(kept)] + kept
    return name or "file"


def type_of_name(name: str) -> str | None:
    """What its ending promises. The same on every machine: not by the system's own tables."""
    ending = name.rpartition(".")[2].lower()
    return _ENDINGS.get(ending) or _NAMES.guess_type(name, strict=False)[0]


def is_accepted(accepted: tuple[str, ...], name: str, kind: str) -> bool:
    """As browsers hold a file to HTML's `accept` (4.10.5.1.17)."""
    for one in accepted:
        if one.startswith("."):
            if name.lower().endswith(one):
                return True
        elif one in (kind, "*/*") or (one.endswith("/*") and kind.startswith(one[:-1])):
            return True
    return False


def disagrees(head: bytes, kind: str, name: str) -> str | None:
    """What is wrong when the first bytes are not of the type that is said, or that the name promises."""
    seen = _families(head)
    for said in dict.fromkeys((kind, type_of_name(name) or UNKNOWN)):
        family = _family(said)
        if said == UNKNOWN or family in seen:
            continue
        if family in _KNOWN or (family == "media" and _is_text(head)):
            return f"the content of this file is not {said}"
        if seen and not _is_text(head) and not _may_wrap(said, seen):
            return f"the content of this file is {min(seen)}, not {said}"
    return None


def _families(head: bytes) -> set[str]:
    """Of all signatures that fit: some fit within others, such as that of a document within a zip's."""
    found = {_family(one.mime) for one in filetype.TYPES if one.match(bytearray(head))}
    if head.startswith(_ZIP):
        found.add("zip")
    if head.startswith(_OLE):
        found.add("ole")
    return found


def _family(kind: str) -> str:
    """Types that the first bytes do not tell apart, or that senders mix up, by one name."""
    kind = _SAME.get(kind, kind)
    if kind.startswith(("audio/", "video/")):
        return "media"
    for pattern, family in ((_ZIPPED, "zip"), (_OLD_OFFICE, "ole"), (_HEIF, "heif")):
        if pattern.fullmatch(kind):
            return family
    return kind


_KNOWN: Final = {_family(one.mime) for one in filetype.TYPES} - {
    "media",
    "application/x-brotli",
    UNKNOWN,
} | {"zip", "ole"}
"""What has a signature. Of audio and video not all formats do, and Brotli has only a made-up one."""


def _is_text(head: bytes) -> bool:
    return _BINARY.search(head) is None


def _may_wrap(said: str, seen: set[str]) -> bool:
    """Many formats of programs are archives or an older office's containers under a type of their own, and
    raw photos are TIFF.
    """
    kind = said.partition("/")[0]
    if kind == "application":
        return seen.isdisjoint(_PROGRAMS)
    return any(one.startswith(kind + "/") for one in seen)
