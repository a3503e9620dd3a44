"""The pages' paths. What they load is served by nginx below /static/."""

from __future__ import annotations

from litestar import Response, get

from appliance.web import docs_page

_HEADERS = {"content-security-policy": docs_page.PAGE_POLICY, "cache-control": "no-cache"}


def _page(html: str) -> Response[str]:
    return Response(html, media_type="text/html", headers=_HEADERS)


@get("/", include_in_schema=False)
async def landing() -> Response[str]:
    """Where to go from here."""
    return _page(docs_page.landing_html())


@get("/docs", include_in_schema=False)
async def docs() -> Response[str]:
    """The API's documentation, without any outside address."""
    return _page(docs_page.docs_html())


handlers = [landing, docs]
