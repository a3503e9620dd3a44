"""Where alerts go in tests: what looks like Slack, PagerDuty and the rest from Alertmanager's side."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Takes what is posted, as Slack, PagerDuty, a gateway for text messages and a dead man's switch do."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.moments: list[float] = []
        """When each came, by the monotonic clock."""
        self.refused: set[str] = set()
        """Paths where nothing is taken."""
        taken, moments, refused = self.taken, self.moments, self.refused

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                moments.append(time.monotonic())
                taken.append((self.path, json.loads(body)))
                if self.path in refused:
                    self.send_error(500)
                    return
                self.send_response(202 if self.path == "/pagerduty" else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def paths(self, status: str | None = None) -> set[str]:
        return {path for path, body in self.taken if status in (None, body.get("status"))}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def settings_for(receiver: Receiver, mail: str) -> dict[str, str]:
    return {
        "SMTP_URL": mail,
        "ALERT_EMAIL": "ops@example.org",
        "ALERT_SLACK_URL": f"{receiver.url}/slack",
        "ALERT_PAGERDUTY_KEY": "k" * 32,
        "ALERT_PAGERDUTY_URL": f"{receiver.url}/pagerduty",
        "ALERT_SMS_URL": f"{receiver.url}/sms",
        "ALERT_WATCHDOG_URL": f"{receiver.url}/watchdog",
    }
