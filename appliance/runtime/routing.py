"""Who hears of which alert: Alertmanager's configuration.

    all       the appliance's own inbox, by its inner door
    info      nobody else
    warning   e-mail, Slack
    critical  the same, PagerDuty, and the webhook for text messages
    Watchdog  the dead man's switch alone

What begins together is one message to people, whatever its name, for one machine has one operator. PagerDuty
alone is told by name: an incident that is open already calls nobody when another alert comes into it.
What is not set is left out. Secrets lie in files of their own, as far as Alertmanager 0.25 reads them from
there; the addresses of webhooks it does not, so its configuration is the appliance's alone too.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from appliance import addresses
from appliance.addresses import Paths
from appliance.disk import write_atomically
from appliance.own_alerts import KINDS
from appliance.own_alerts import host as host
from appliance.settings import Settings

INBOX = {"group_by": ["alertname"], "group_wait": "2s", "group_interval": "15s", "repeat_interval": "4h"}
"""It wakes nobody, so it need not wait for what comes with an alert."""
_MOST = 200
"""Alerts of one message to the inbox: it fits into what the API takes. The scheduler asks for the others."""
_OFTEN = {"group_wait": "0s", "group_interval": "1m", "repeat_interval": "4m"}
"""For the switch: looked at each minute, told again once four have passed, so every five at the latest."""
_TESTS: list[dict[str, Any]] = [
    {"matchers": ['alertname="Test"'], "group_by": ["alertname", "test_id"], "group_wait": "1s"}
]
"""Somebody waits for a test, and it stands beside no other alert."""
_TEXT = (
    '{{ range .Alerts }}{{ if eq .Status "resolved" }}Over: {{ end }}{{ .Annotations.summary }}'
    " (HOST, {{ .Labels.severity }})\nNext: {{ .Annotations.next }}\n{{ end }}"
)
_TITLE = (
    "[{{ .Status }}] {{ (index .Alerts 0).Labels.alertname }}"
    "{{ if not .CommonLabels.alertname }} and others{{ end }} on HOST ({{ .CommonLabels.severity }})"
)

_PAGED = 86400
"""Seconds: an incident that is open gains nothing by being told again. Alertmanager remembers for twice as
long whom it has told, and after that closes no incident any more.
"""

Json = dict[str, Any]


def write(settings: Settings, folder: Path) -> Path:
    """The configuration and the files with secrets that it names; mode 0600."""
    secrets = _secrets(settings)
    for name in ("slack_url", "pagerduty_key", "smtp_password"):
        path = _secret(folder, name)
        if secret := secrets.get(name):
            write_atomically(path, secret)
        else:
            path.unlink(missing_ok=True)
    path = folder / "alertmanager.json"
    write_atomically(path, json.dumps(alertmanager(settings, folder), indent=2))
    return path


def find_faults(settings: Settings) -> Iterator[str]:
    """What our own mail can do and Alertmanager cannot, which must not be found out by an alert."""
    if not settings.smtp_url or not settings.alert_email:
        return
    server = urlsplit(settings.smtp_url)
    hint = "next: smtps://HOST (port 465) or smtp://HOST:587 (STARTTLS); or unset ALERT_EMAIL"
    if server.scheme == "smtps" and server.port not in (None, 465):
        yield (
            f"SMTP_URL: Alertmanager sends by smtps:// to port 465 alone, not to {server.port}, so no mail"
            f" would come to ALERT_EMAIL; {hint}"
        )
    if server.scheme == "smtp" and server.port == 465:
        yield f"SMTP_URL: port 465 speaks TLS from the first byte, which is smtps://, not smtp://; {hint}"


def alertmanager(settings: Settings, folder: Path) -> Json:
    """`folder` has the files that it names."""
    people = _mail(settings, folder) | _slack(settings, folder)
    receivers = {
        "nobody": {},
        "inbox": _inbox(settings),
        "warning": people,
        "critical": people | _webhook(settings.alert_sms_url),
        "pagerduty": _pagerduty(settings, folder),
        "watchdog": _webhook(settings.alert_watchdog_url),
    }
    return {
        "route": {
            "receiver": "nobody",
            "group_by": ["severity"],
            "group_wait": f"{settings.alert_group}s",
            # What comes later, and what is over: twice as long from one message of a group to the next.
            "group_interval": f"{2 * settings.alert_group}s",
            "repeat_interval": f"{settings.alert_repeat}s",
            "routes": [
                {"matchers": ['alertname="Watchdog"'], "receiver": "watchdog", **_OFTEN},
                {"matchers": [], "receiver": "inbox", "continue": True, **INBOX},
                {
                    "matchers": ['severity="critical"'],
                    "receiver": "pagerduty",
                    "group_by": ["alertname"],
                    "repeat_interval": f"{max(settings.alert_repeat, _PAGED)}s",
                    "continue": True,
                    "routes": _TESTS,
                },
                {"matchers": ['severity="critical"'], "receiver": "critical", "routes": _TESTS},
                {"matchers": ['severity="warning"'], "receiver": "warning", "routes": _TESTS},
            ],
        },
        "inhibit_rules": [
            _silences("RedisDown", 'alertname=~"QueueStuck|EndingsUnsettled|RedisMemory"'),
            # A scheduler that waits for Redis tells nothing.
            _silences("RedisDown", 'alertname=~"TargetDown|MetricsAbsent"', 'job="appliance"'),
            _silences("CertificateEnds", 'alertname="CertificateExpires"'),
            *_own(),
        ],
        "receivers": [{"name": name, **configs} for name, configs in receivers.items()],
    }


def _silences(source: str, *target: str, equal: tuple[str, ...] = ()) -> Json:
    return {
        "source_matchers": [f'alertname="{source}"'],
        "target_matchers": list(target),
        "equal": list(equal),
    }


def _own() -> Iterator[Json]:
    """What the appliance tells itself says more than the rule that sees the same from outside."""
    for name, kind in KINDS.items():
        if kind.instead_of:
            yield _silences(name, f'alertname=~"{"|".join(kind.instead_of)}"', equal=kind.equal)


def _inbox(settings: Settings) -> Json:
    """The API's `POST /internal/alerts`, with the password of Alertmanager itself."""
    password = Paths(settings.data).alertmanager_password
    about: Json = {
        "url": f"http://127.0.0.1:{addresses.inner_port(settings, 'alerts')}/internal/alerts",
        "send_resolved": True,
        "max_alerts": _MOST,
        "http_config": {
            "authorization": {"type": "Bearer", "credentials_file": str(password)},
            "follow_redirects": False,
        },
    }
    return {"webhook_configs": [about]}


def _secrets(settings: Settings) -> dict[str, str]:
    password = unquote(urlsplit(settings.smtp_url or "").password or "") if settings.alert_email else ""
    return {
        "slack_url": settings.alert_slack_url or "",
        "pagerduty_key": settings.alert_pagerduty_key or "",
        "smtp_password": password,
    }


def _secret(folder: Path, name: str) -> Path:
    return folder / f"alertmanager.{name}"


def _named(template: str) -> str:
    return template.replace("HOST", host())


def _mail(settings: Settings, folder: Path) -> Json:
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
        "headers": {"Subject": _named(_TITLE)},
        "text": _named(_TEXT),
        "html": "",
    }
    if server.username:
        about["auth_username"] = unquote(server.username)
        if server.password:
            about["auth_password_file"] = str(_secret(folder, "smtp_password"))
    return {"email_configs": [{"to": address, **about} for address in settings.alert_email]}


def _slack(settings: Settings, folder: Path) -> Json:
    if not settings.alert_slack_url:
        return {}
    about = {
        "api_url_file": str(_secret(folder, "slack_url")),
        "send_resolved": True,
        "title": _named(_TITLE),
        "title_link": "",  # it would lead to this machine's loopback, and Debian's Alertmanager has no page
        "fallback": _named(_TITLE),
        "text": _named(_TEXT),
    }
    return {"slack_configs": [about]}


def _pagerduty(settings: Settings, folder: Path) -> Json:
    if not settings.alert_pagerduty_key:
        return {}
    about = {
        "routing_key_file": str(_secret(folder, "pagerduty_key")),
        "url": settings.alert_pagerduty_url,
        "client": host(),
        "client_url": "",
        "description": _named("HOST: {{ range .Alerts }}{{ .Annotations.summary }}. {{ end }}"),
        "details": {
            **{kind: "{{ .Alerts." + kind.title() + " | len }}" for kind in ("firing", "resolved")},
            "text": _named(_TEXT),
        },
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
