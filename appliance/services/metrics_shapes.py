"""The JSON shapes of what Prometheus says: its own."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class PromData(Struct, rename="camel"):
    """By `resultType`: `vector` has `metric` and `value` for each series, `matrix` `metric` and `values`; a
    value is a list of seconds since 1970 and a number as text.
    """

    result_type: Literal["vector", "matrix", "scalar", "string"]
    result: list[dict[str, Any] | float | str]


class PromAnswer(Struct, kw_only=True):
    status: Literal["success"]
    data: PromData
    warnings: list[str] = []
