"""The parameters that every list takes."""

from __future__ import annotations

from typing import Annotated

from litestar.params import Parameter

Limit = Annotated[int, Parameter(ge=1, le=200, description="Rows on a page at most; a page may be short")]
Cursor = Annotated[
    str | None,
    Parameter(max_length=500, description="`next_cursor` of the page before; null there is the end"),
]
