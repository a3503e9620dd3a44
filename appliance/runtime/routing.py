"""Who hears of which alert: Alertmanager's configuration.

    info      the list of alerts, and nobody
    warning   e-mail, Slack
    critical  the same, PagerDuty, and the webhook for text messages
    Watchdog  the dead man's switch alone

What is not set is left out. The configuration holds secrets, so its file is the appliance's alone.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import unquote, urlsplit

from appliance.settings import Settings

GROUP_WAIT = "30s"
"""From a group's first alert to the message: those that come with it are in the same one."""
REPEAT = "4h"
"""From one message to the next of what still is."""
_WATCHDOG = "5m"
_TEXT = "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ end }}"

Json = dict[str, Any]


def alertmanager(settings: Settings) -> Json:
    people = _mail(settings) | _slack(settings)
    receivers = {
        "nobody": {},
        "warning": people,
        "critical": people | _pagerduty(settings) | _webhook(settings.alert_sms_url),
        "watchdog": _webhook(settings.alert_watchdog_url),
    }
    often = {"group_wait": "0s", "group_interval": _WATCHDOG, "repeat_interval": _WATCHDOG}
    return {
        "route": {
            "receiver": "nobody",
            "group_by": ["alertname"],
            "group_wait": GROUP_WAIT,
            "group_interval": "5m",
            "repeat_interval": REPEAT,
            "routes": [
                {"matchers": ['alertname="Watchdog"'], "receiver": "watchdog", **often},
                {"matchers": ['severity="critical"'], "receiver": "critical"},
                {"matchers": ['severity="warning"'], "receiver": "warning"},
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['severity="critical"'],
                "target_matchers": ['severity=~"warning|info"'],
                "equal": ["alertname"],
            },
            {
                "source_matchers": ['alertname="RedisDown"'],
                "target_matchers": ['alertname=~"QueueStuck|EndingsUnsettled|RedisMemory"'],
            },
        ],
        "receivers": [{"name": name, **configs} for name, configs in receivers.items()],
    }


def _mail(settings: Settings) -> Json:
    if not settings.smtp_url or not settings.alert_email:
        return {}
    server = urlsplit(settings.smtp_url)
    port = server.port or (465 if server.scheme == "smtps" else 25)
    about: Json = {
        "from": settings.smtp_from,
        "smarthost": f"{_bracketed(server.hostname or '')}:{port}",
        # Alertmanager speaks TLS from the first byte on port 465 alone, and by STARTTLS where it is told to.
        "require_tls": port != 465 and not _is_this_machine(server.hostname or ""),
        "send_resolved": True,
        "headers": {"Subject": "[{{ .Status }}] {{ .CommonLabels.alertname }}"},
        "text": _TEXT,
        "html": "",
    }
    if server.username:
        about |= {
            "auth_username": unquote(server.username),
            "auth_password": unquote(server.password or ""),
        }
    return {"email_configs": [{"to": address, **about} for address in settings.alert_email]}


def _slack(settings: Settings) -> Json:
    if not settings.alert_slack_url:
        return {}
    title = "[{{ .Status }}] {{ .CommonLabels.alertname }}"
    about = {"api_url": settings.alert_slack_url, "send_resolved": True, "title": title, "text": _TEXT}
    return {"slack_configs": [about]}


def _pagerduty(settings: Settings) -> Json:
    if not settings.alert_pagerduty_key:
        return {}
    about = {
        "routing_key": settings.alert_pagerduty_key,
        "url": settings.alert_pagerduty_url,
        "description": "{{ .CommonAnnotations.summary }}",
        "severity": "critical",
    }
    return {"pagerduty_configs": [about]}


def _webhook(url: str | None) -> Json:
    return {"webhook_configs": [{"url": url, "send_resolved": True}]} if url else {}


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
