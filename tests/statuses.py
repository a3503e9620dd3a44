"""Every answer that any test gets is held against the published document: an undocumented status fails."""

from __future__ import annotations

import re
from typing import Any

import httpx

METHODS = ("get", "post", "put", "patch", "delete")
_DOORS_OWN = {405, 414, 431}
"""Of no operation: the path does not take the method, or nginx could not read the request."""


class Documented:
    """Which statuses an operation may answer, by its method and path."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._operations = [
            (method.upper(), re.compile(_pattern(path)), set(map(int, item[method]["responses"])))
            for path, item in sorted(document["paths"].items(), key=lambda each: each[0].count("{"))
            for method in METHODS
            if method in item
        ]

    def check(self, answer: httpx.Response) -> None:
        """Raises AssertionError. Paths that the document does not have are the pages', and not judged."""
        method, path = answer.request.method, answer.request.url.path
        for taken, pattern, statuses in self._operations:
            if taken == method and pattern.fullmatch(path):
                told = f"{method} {path} answered {answer.status_code}, which is not documented"
                assert answer.status_code in statuses | _DOORS_OWN, told
                return


def _pattern(path: str) -> str:
    return re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "/?"


class Checker:
    """An httpx hook. It reads the document by itself, as soon as there is an answer to be had."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._documented: Documented | None = None

    def __call__(self, answer: httpx.Response) -> None:
        if self._documented is None:
            try:
                document = httpx.get(f"{self._url}/openapi.json", timeout=10, trust_env=False)
            except httpx.HTTPError:
                return
            if document.status_code != 200:
                return
            self._documented = Documented(document.json())
        self._documented.check(answer)
