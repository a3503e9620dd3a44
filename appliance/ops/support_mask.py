"""What is masked in a text that leaves the machine: known secrets however they are written, and what looks
like an address of a person or a machine, or like a key.

    mask = Mask(secrets)
    text = mask("…")          # mask.counts: what was masked how often

One address has one name in all texts of a mask, so that lines can be brought together: `ip-3`.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections import Counter
from collections.abc import Collection
from typing import Final
from urllib.parse import quote, quote_plus

from appliance.queue import redaction

SECRET: Final = "(secret)"  # noqa: S105 - what stands for one
_HOLD: Final = "\ue000"
"""Stands for one meanwhile: a password may be `secret`."""
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\d{1,3}\.){3}\d{1,3})?)"
    r"(?![\w])"
)
_MAIL = re.compile(r"[\w.+\-']{1,64}(?:@|%40|\\u0040)[\w\-]{1,63}(?:\.[\w\-]{1,63})*")
_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_QUERY = re.compile(r"(?<=[\w/\])])\?[\w%.~+\-]+=[^\s\"'<>]*")
_IN_QUESTION = re.compile(
    r"(?i)://|authorization|bearer|password|passwd|secret|token|api_?key|whsec_|ak_|eyJ|[\w+=\-]{32}"
)
"""What `queue.redaction` has a rule for."""
_REQUEST_ID = re.compile(r"(\"request_id\": \"[0-9a-f]{32}\")")
_LEAST_CORE: Final = 8
"""Characters of base64 that may be told to be those of a secret."""


class Mask:
    def __init__(self, secrets: Collection[str]) -> None:
        written = {form for value in secrets for form in forms(value)}
        self.written = sorted(written, key=len, reverse=True)
        self.counts: Counter[str] = Counter()
        self._names: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        text = text.replace(_HOLD, "?")
        for word in self.written:
            if found := text.count(word):
                self.counts["secret"] += found
                text = text.replace(word, _HOLD)
        text = self._sub("key", _KEY_BLOCK, _HOLD, text)
        text = "".join(self._line(line) for line in text.splitlines(keepends=True))
        return text.replace(_HOLD, SECRET)

    def finds(self, masked: str) -> bool:
        """Whether a secret is in it all the same."""
        text = masked.replace(SECRET, _HOLD)
        return any(word in text for word in self.written)

    def _line(self, line: str) -> str:
        """Most have nothing that looks like it."""
        if "?" in line:
            line = self._sub("query", _QUERY, "?…", line)
        if "@" in line or "%40" in line or "u0040" in line:
            line = self._sub("mail", _MAIL, "(mail)", line)
        if ":" in line or "." in line:
            line = _ADDRESS.sub(self._named, line)
        if _IN_QUESTION.search(line):
            before = line.count("***")
            line = "".join(map(_redacted, _REQUEST_ID.split(line)))
            self.counts["token"] += line.count("***") - before
        return line

    def _sub(self, kind: str, pattern: re.Pattern[str], by: str, text: str) -> str:
        text, count = pattern.subn(by, text)
        self.counts[kind] += count
        return text

    def _named(self, found: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        if address.is_loopback or address.is_unspecified:
            return found[0]
        self.counts["address"] += 1
        return self._names.setdefault(str(address), f"ip-{len(self._names) + 1}")


def _redacted(part: str) -> str:
    """The id of a request brings lines of several programs together, and is made here."""
    return part if _REQUEST_ID.fullmatch(part) else redaction.redacted(part)


def forms(value: str) -> set[str]:
    """As it is, as JSON has it (twice over where JSON stands in a text), in an address, in base64, in hex."""
    once = json.dumps(value)[1:-1]
    plain = {
        value,
        once,
        json.dumps(once)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
    }
    quoted = {quote(value, safe=""), quote(value), quote_plus(value)}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in quoted}
    raw = value.encode("utf-8", "surrogateescape")
    return plain | quoted | lower | {raw.hex(), raw.hex().upper()} | _base64(raw)


def _base64(raw: bytes) -> set[str]:
    """What is the same wherever it stands in something longer, such as after `user:`."""
    found = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + raw).decode().rstrip("=")
            # The first characters hold bits of what comes before, the last of what comes after.
            core = text[(0, 2, 3)[before] : len(text) - (1 if (before + len(raw)) % 3 else 0)]
            if len(core) >= _LEAST_CORE:
                found.add(core)
    return found
