"""The pages that need no data: the landing page and the API's documentation.

Both work without the internet and under PAGE_POLICY: what they load lies below /static/, built by
scripts/web. The viewer is Swagger UI: of those that show OpenAPI 3.1 and let one try a call, the one that
needs neither an outside font nor an inline script.
"""

from __future__ import annotations

import functools
from pathlib import Path

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy of these pages. `data:` is for the icons inside Swagger UI's stylesheet."""

STATIC = Path(__file__).parent / "static"
"""What is served as /static/."""


def docs_html() -> str:
    """The page of /docs; it shows /openapi.json."""
    return _template("docs.html")


def landing_html() -> str:
    """The page of /."""
    return _template("landing.html")


@functools.cache
def _template(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
