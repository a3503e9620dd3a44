"""Clients that answer a form, send again under the same key until told 201, and remember the answers."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.running import Running

DEFINITION: dict[str, Any] = {
    "elements": [
        {"type": "text", "name": "row", "inputType": "number", "isRequired": True},
        {"type": "comment", "name": "words", "isRequired": True},
    ]
}
_BETWEEN_TRIES = 0.1


@dataclass(slots=True)
class History:
    """What clients were told; `acknowledged` maps a row to the response that was promised to be kept."""

    form_id: str
    acknowledged: dict[int, str] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    """Answers that no fault explains."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, row: int) -> str:
        return f"row-{row}"

    def note(self, row: int, answer: httpx.Response) -> bool:
        """True when the answer acknowledges the row."""
        with self.lock:
            if answer.status_code == 201:
                self.acknowledged[row] = answer.json()["response_id"]
                return True
            # 409: the hung-up request of the same key is still being written
            if answer.status_code not in (409, 502, 503, 504):
                self.refusals.append(f"row {row}: {answer.status_code} {answer.text[:200]}")
            return False

    @property
    def retried(self) -> list[int]:
        return [row for row, tries in self.tries.items() if tries > 1]


def body(row: int, words: str) -> dict[str, Any]:
    return {"data": {"row": row, "words": words}}


def send(client: httpx.Client, history: History, row: int, words: str) -> httpx.Response:
    path, headers = f"/api/v1/forms/{history.form_id}/responses", {"idempotency-key": history.key(row)}
    return client.post(path, json=body(row, words), headers=headers)


def answer_all(
    appliance: Running,
    history: History,
    rows: Iterable[tuple[int, str]],
    deadline: float,
    rudeness: random.Random | None = None,
) -> None:
    """One client's share. With `rudeness` it hangs up on some requests before it waits for an answer."""
    with appliance.client() as client:
        for row, words in rows:
            while rudeness is not None and rudeness.random() < 0.5:
                hang_up(appliance, history, row, words, rudeness)
            if not _until_acknowledged(client, history, row, words, deadline):
                return


def _until_acknowledged(
    client: httpx.Client, history: History, row: int, words: str, deadline: float
) -> bool:
    while time.monotonic() < deadline:
        history.tries[row] = history.tries.get(row, 0) + 1
        try:
            if history.note(row, send(client, history, row, words)):
                return True
        except httpx.HTTPError:
            pass  # the connection broke: nothing is known
        time.sleep(_BETWEEN_TRIES)
    return False


def hang_up(appliance: Running, history: History, row: int, words: str, chance: random.Random) -> None:
    """Close the connection after half of the request, after all of it, or some milliseconds later."""
    history.tries[row] = history.tries.get(row, 0) + 1
    request = _raw(appliance, history, row, words)
    sent = chance.choice([request[: len(request) // 2], request, request])
    try:
        with socket.create_connection(("127.0.0.1", appliance.settings.http_port), timeout=5) as door:
            door.sendall(sent)
            door.settimeout(chance.choice([0.0005, 0.002, 0.005, 0.01]))
            door.recv(1)
    except OSError:
        pass  # too slow for this one


def _raw(appliance: Running, history: History, row: int, words: str) -> bytes:
    content = json.dumps(body(row, words)).encode()
    head = (
        f"POST /api/v1/forms/{history.form_id}/responses HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{appliance.settings.http_port}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {history.key(row)}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def shares(answers: Sequence[str], clients: int) -> list[list[tuple[int, str]]]:
    """Each client's rows; each row once."""
    numbered = list(enumerate(answers))
    return [numbered[number::clients] for number in range(clients)]
