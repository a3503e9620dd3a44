"""Exports that tests read: with the readers of other people, where there are any."""

from __future__ import annotations

import asyncio
import base64
import csv
import datetime as dt
import hashlib
import io
from typing import Any

import httpx
import openpyxl
import pyarrow.parquet
from openpyxl.utils.escape import unescape

from appliance.stores import exports, mongo
from tests.api.tasks import until_status
from tests.running import Running

Row = dict[str, Any]

HOSTILE = {
    "formula": "=1+1",
    "plus": "+1",
    "minus": "-5 apples",
    "at": "@SUM(A1)",
    "tab": "\t=1",
    "return": "\r=1",
    "quoted": "'=1",
    "twice": "''x",
    "quote": "'",
    "control": "a\x01\x02\x1f\x7fb",
    "spelled": "_x0041_ _x000D_",
    "lines": "one\ntwo\r\nthree\rfour",
    "double": 'she said "no", then; left',
    "right": "שלום ‮abc‬ مرحبا",
    "emoji": "👩‍👩‍👧‍👦 e\u0301 \ufeff \u2028 \U0001f1f3\U0001f1f4",
    "space": "  both sides  ",
    "number": "0012",
    "true": "true",
    "json": '{"a": [1]}',
    "percent": "100%25 ∞ ﷽",
}
"""Texts that some format or program is known to spoil."""


def ask(client: httpx.Client, form_id: str, **parameters: Any) -> httpx.Response:
    """The file at once; what says that it is whole is true."""
    answer = client.get(f"/api/v1/forms/{form_id}/export", params=parameters, timeout=120)
    if answer.status_code == 200:
        check_whole(answer)
    return answer


def check_whole(answer: httpx.Response) -> None:
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def csv_rows(content: bytes) -> list[dict[str, str]]:
    """As any reader of CSV has them, escapes and all."""
    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    head, *rows = csv.reader(text, strict=True)
    assert len(set(head)) == len(head)
    return [dict(zip(head, row, strict=True)) for row in rows]


def sheets(content: bytes) -> dict[str, list[Row]]:
    """By the sheet's name."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    found = {}
    for sheet in book.worksheets:
        head, *rows = sheet.iter_rows(values_only=True)
        found[sheet.title] = [dict(zip(map(str, head), map(_read, row), strict=True)) for row in rows]
    return found


def _read(cell: Any) -> Any:
    """openpyxl leaves ST_Xstring to its caller."""
    return unescape(cell) if isinstance(cell, str) else cell


def parquet_rows(content: bytes) -> list[Row]:
    rows: list[Row] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


def start(client: httpx.Client, form_id: str, **asked: Any) -> str:
    """The id of an export that a task makes."""
    answer = client.post(f"/api/v1/forms/{form_id}/exports", json={"format": "csv", **asked})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["status_url"]
    return str(answer.json()["task_id"])


def prune(appliance: Running, now: dt.datetime) -> None:
    """As the task does each hour."""

    async def work() -> None:
        async with mongo.connect(appliance.settings) as client:
            folders = appliance.paths.exports, appliance.paths.imports
            await exports.prune(mongo.database(client), *folders, now, 1000)

    asyncio.run(work())


def fetch(client: httpx.Client, export_id: str, seconds: float = 60) -> httpx.Response:
    """The download, once it is ready."""
    task = until_status(client, export_id, "completed", "failed", seconds=seconds)
    assert task["status"] == "completed", task
    answer = client.get(f"/api/v1/exports/{export_id}")
    assert answer.status_code == 200, answer.text
    check_whole(answer)
    assert task["result"]["bytes"] == len(answer.content)
    assert task["result"]["sha256"] == hashlib.sha256(answer.content).hexdigest()
    return answer
