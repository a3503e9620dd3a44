"""When the alerts of requests, logins, webhooks and promises fire and when they do not (see `cases`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.monitoring.cases import Alert, Case

HOUR = 60
STEP = 2
"""Minutes between two samples of requests."""
_TOTAL = "appliance_http_requests_total"
_FAILED = f'{_TOTAL}{{route="/api/v1/forms",status="503"}}'


def series(*spans: tuple[int, float]) -> str:
    """A counter that grows for so many samples by so much each."""
    at, said = 0.0, ["0"]
    for samples, step in spans:
        said.append(f"{at + step:g}+{step:g}x{samples - 1}")
        at += step * samples
    return " ".join(said)


def http(*spans: tuple[int, float, float]) -> dict[str, str]:
    """So many minutes with so many requests a minute, of which so many per mille fail."""
    good = [(minutes // STEP, STEP * rate * (1 - failed / 1000)) for minutes, rate, failed in spans]
    bad = [(minutes // STEP, STEP * rate * failed / 1000) for minutes, rate, failed in spans]
    return {
        f'{_TOTAL}{{route="/api/v1/forms",status="200"}}': series(*good),
        _FAILED: series(*bad),
    }


def probes(status: str, minutes: int) -> dict[str, str]:
    """So many that they would be all that is seen, were they not left out."""
    return {
        f'{_TOTAL}{{route="{route}",status="{status}"}}': series((minutes // STEP, STEP * 1e6))
        for route in ("/healthz", "/readyz")
    }


def trickle(*spans: tuple[int, int]) -> dict[str, str]:
    """Ten requests an hour that are answered, and so many that fail in so many minutes, evenly."""
    at, values = 0, [0]
    for minutes, failures in spans:
        samples = minutes // STEP
        for number in range(samples):
            at += (number + 1) * failures // samples - number * failures // samples
            values.append(at)
    return {
        f'{_TOTAL}{{route="/api/v1/forms",status="200"}}': series((len(values) - 1, STEP / 6)),
        _FAILED: " ".join(map(str, values)),
    }


def by_nginx(told: Mapping[str, str], status: str = "503", planned: str = "false") -> dict[str, str]:
    """The same, but that it is nginx that answers so, since it asked no API or none answered."""
    own = f'appliance_nginx_answers_total{{status="{status}",planned="{planned}"}}'
    return {own if name == _FAILED else name: values for name, values in told.items()}


def fast(told: str) -> tuple[Alert, ...]:
    return (Alert({}, f"{told} of the requests fail"),)


def slow(told: str) -> tuple[Alert, ...]:
    return (Alert({}, f"{told} of the requests of three days have failed"),)


def times(route: str, *spans: tuple[int, float]) -> dict[str, str]:
    """A hundred a minute for so many minutes, of which so many per cent take between 0.5 and 1 s, all others
    between 0.25 and 0.5.
    """
    name = "appliance_http_request_duration_seconds_bucket"
    quick = series(*((minutes, 100 - over) for minutes, over in spans))
    all_of_them = series(*((minutes, 100) for minutes, _ in spans))
    told = {"0.25": "0x100", "0.5": quick, "1.0": all_of_them, "+Inf": all_of_them}
    return {f'{name}{{route="{route}",le="{le}"}}': values for le, values in told.items()}


def calls(rate: float, minutes: int = 40) -> dict[str, str]:
    return {f'{_TOTAL}{{route="/api/v1/forms",status="200"}}': series((minutes, rate))}


def logins(outcome: str, *spans: tuple[int, float]) -> dict[str, str]:
    return {f'appliance_logins_total{{outcome="{outcome}"}}': series(*spans)}


def webhooks(*spans: tuple[int, float, float]) -> dict[str, str]:
    """So many minutes with so many attempts each that fail, and so many that do not."""
    name = "appliance_webhook_attempts_total"
    return {
        f'{name}{{outcome="unreachable"}}': series(*((minutes, failed) for minutes, failed, _ in spans)),
        f'{name}{{outcome="delivered"}}': series(*((minutes, well) for minutes, _, well in spans)),
    }


def failing(told: str) -> tuple[Alert, ...]:
    return (Alert({}, f"{told} of the requests to webhooks fail"),)


def waits(kind: str, seconds: int) -> dict[str, str]:
    return {f'appliance_outbox_oldest_seconds{{kind="{kind}"}}': f"{seconds}x20"}


def stuck(kind: str, told: str) -> tuple[Alert, ...]:
    return (Alert({"kind": kind}, f"What was promised is not done: {kind}, for {told}"),)


BUSY = (6 * HOUR, 1e6, 0)
"""So many requests that whatever fails later is next to nothing of six hours."""
WEBHOOKS = failing("60%")
GOES_ON = {'appliance_queue_paused{queue="high"}': "0x20"}
NO_DATABASE = (Alert({"dependency": "mongodb"}, "The database does not answer: nothing is stored or read"),)
FULL = (Alert({"dependency": "disk"}, "The disk of the data folder is full: responses are refused"),)
REFUSED = (Alert({}, "52 attempts to sign in were refused within ten minutes"),)

BURNS = (
    # 1.5 % from the minute 360 on: within an hour of them 14.4 times what the budget allows.
    Case("ErrorBudgetBurnsFast", http(BUSY, (130, 1000, 15)) | probes("200", 500),
         ("410m",), ("480m",), fast("1.5%")),
    # A little too few in one of the two windows.
    Case("ErrorBudgetBurnsFast", http(BUSY, (60, 1000, 12.2), (10, 1000, 20)) | probes("503", 430),
         ("430m",)),
    Case("ErrorBudgetBurnsFast", http(BUSY, (60, 1000, 20), (12, 1000, 13.5)), ("432m",)),
    # Over as suddenly as it came: the five minutes see it.
    Case("ErrorBudgetBurnsFast", http(BUSY, (90, 100, 0), (20, 100, 500), (60, 100, 0)),
         ("476m", "500m"), ("472m",), fast("15.59%")),
    # 0.63 % for six hours, and half an hour that goes by.
    Case("ErrorBudgetBurnsFast", http((12 * HOUR, 1000, 0), (8 * HOUR, 1000, 6.3)),
         ("1020m",), ("1086m",), fast("0.63%")),
    Case("ErrorBudgetBurnsFast", http((330, 1000, 5.6), (30, 1000, 7)), ("360m",)),
    Case("ErrorBudgetBurnsFast", http((330, 1000, 10), (40, 1000, 5.7)), ("370m",)),
    Case("ErrorBudgetBurnsFast", http((6 * HOUR, 1000, 0), (5 * HOUR, 1000, 14), (HOUR, 1000, 0)),
         ("682m",), ("672m",), fast("1.158%")),
    # Few: eleven failures of an hour are told, ten are not, nor are thirteen of two.
    Case("ErrorBudgetBurnsFast", trickle((30, 0), (60, 11)), ("70m",), ("90m",), fast("49.92%")),
    Case("ErrorBudgetBurnsFast", trickle((30, 0), (60, 10)) | probes("503", 90), ("90m",)),
    Case("ErrorBudgetBurnsFast", trickle((30, 0), (120, 13)), ("150m",)),
    Case("ErrorBudgetBurnsFast", http((8 * HOUR, 1000, 0.5)), ("480m",)),

    Case("ErrorBudgetBurnsSlowly",
         http((12 * HOUR, 1000, 0.9), (6 * HOUR, 1000, 1.05)) | probes("503", 18 * HOUR), ("1080m",)),
    Case("ErrorBudgetBurnsSlowly", http((12 * HOUR, 1000, 1.5), (7 * HOUR, 1000, 0.95)), ("1140m",)),
    Case("ErrorBudgetBurnsSlowly",
         http((12 * HOUR, 100, 5), (65 * HOUR, 100, 0.93), (7 * HOUR, 100, 1.05)), ("5038m",)),
    Case("ErrorBudgetBurnsSlowly", http((8 * HOUR, 1000, 2), (5 * HOUR, 1000, 0)),
         ("720m",), ("600m",), slow("0.1602%")),
    Case("ErrorBudgetBurnsSlowly", trickle((30, 0), (6 * HOUR, 11)), ("300m",), ("390m",), slow("13.73%")),
    Case("ErrorBudgetBurnsSlowly", trickle((30, 0), (6 * HOUR, 10)) | probes("503", 390), ("390m",)),
    Case("ErrorBudgetBurnsSlowly", trickle((30, 0), (12 * HOUR, 13)), ("750m",)),
    Case("ErrorBudgetBurnsSlowly",
         http((12 * HOUR, 100, 0), (72 * HOUR, 100, 1.05)) | probes("200", 84 * HOUR),
         ("4320m",), ("5038m",), slow("0.1049%")),

    # No API answers: nginx does, and is counted as an API is. No failure is what it refuses by right.
    Case("ErrorBudgetBurnsFast", by_nginx(http((6 * HOUR, 100, 0), (20, 100, 1000))),
         ("360m",), ("380m",), fast("29.97%")),
    Case("ErrorBudgetBurnsFast", by_nginx(http(BUSY, (90, 100, 0), (20, 100, 500), (60, 100, 0))),
         ("476m", "500m"), ("472m",), fast("15.59%")),
    Case("ErrorBudgetBurnsFast", by_nginx(trickle((30, 0), (60, 11))), ("70m",), ("90m",), fast("49.92%")),
    Case("ErrorBudgetBurnsFast", by_nginx(trickle((30, 0), (120, 13))), ("150m",)),
    Case("ErrorBudgetBurnsSlowly", by_nginx(trickle((30, 0), (6 * HOUR, 11))),
         ("300m",), ("390m",), slow("13.73%")),
    Case("ErrorBudgetBurnsSlowly", by_nginx(trickle((30, 0), (12 * HOUR, 13))), ("750m",)),
    *(Case(name, by_nginx(http((6 * HOUR, 100, 0), (7 * HOUR, 100, 500)), status, planned), ("380m", "780m"))
      for name in ("ErrorBudgetBurnsFast", "ErrorBudgetBurnsSlowly")
      for status, planned in (("503", "true"), ("429", "false"), ("413", "false"))),
)  # fmt: skip

REQUEST_CASES = (
    *(replace(case, every=f"{STEP}m", is_long=True) for case in BURNS),

    Case("RequestsSlow", times("/api/v1/forms", (40, 5.5)) | calls(100), ("14m",), ("18m",),
         (Alert({}, "One of twenty requests takes longer than 545.5ms"),)),
    Case("RequestsSlow", times("/api/v1/forms", (40, 4.8)) | calls(100), ("40m",)),
    Case("RequestsSlow", times("/api/v1/forms", (30, 100), (20, 0)) | calls(100, 60), ("36m",), ("34m",),
         (Alert({}, "One of twenty requests takes longer than 875ms"),)),
    # Those that take long by nature, each alone.
    *(Case("RequestsSlow", times(route, (40, 100)) | times("/api/v1/forms", (40, 4.8)) | calls(100), ("40m",))
      for route in ("/v1/embeddings", "/a/batch", "/a/import", "/a/export")),
    # Too few to judge by, and just enough.
    Case("RequestsSlow", times("/api/v1/forms", (40, 20)) | calls(5.7), ("40m",)),
    Case("RequestsSlow", times("/api/v1/forms", (40, 20)) | calls(6.3), (), ("40m",),
         (Alert({}, "One of twenty requests takes longer than 875ms"),)),

    Case("MongoDown", {'appliance_dependency_up{dependency="mongodb"}': "0x9"}, ("0m",), ("1m",),
         NO_DATABASE),
    Case("MongoDown", {'appliance_dependency_up{dependency="mongodb"}': "0x9"}, ("30s",), ("60s",),
         NO_DATABASE, every="30s"),
    Case("MongoDown", {'appliance_dependency_up{dependency="redis"}': "0x9",
                       'appliance_dependency_up{dependency="mongodb"}': "1x9"}, ("9m",)),
    Case("WritesRefused", {'appliance_dependency_up{dependency="disk"}': "0x9"}, ("30s",), ("60s",),
         FULL, every="30s"),
    Case("WritesRefused", {'appliance_dependency_up{dependency="redis"}': "0x9",
                           'appliance_dependency_up{dependency="disk"}': "1x9"}, ("9m",)),

    Case("LoginAttack", logins("failed", (30, 5.2)), ("5m",), ("30m",), REFUSED),
    Case("LoginAttack", logins("locked", (30, 5.2)), ("5m",), ("30m",), REFUSED),
    Case("LoginAttack", logins("failed", (30, 4.8)) | logins("ok", (30, 100)), ("30m",)),

    Case("WebhooksFail", webhooks((100, 1.5, 1)), ("27m",), ("32m", "99m"), WEBHOOKS),
    Case("WebhooksFail", webhooks((100, 0.52, 0.48)), (), ("99m",), failing("52%")),
    Case("WebhooksFail", webhooks((100, 0.48, 0.52)), ("99m",)),
    Case("WebhooksFail", webhooks((100, 0.35, 0.1)), (), ("99m",), failing("77.78%")),
    Case("WebhooksFail", webhooks((100, 0.317, 0.1)), ("99m",)),

    Case("OutboxStuck", waits("events", 920) | GOES_ON, ("4m",), ("5m",), stuck("events", "15m 20s")),
    Case("OutboxStuck", waits("tasks", 11_000), ("4m",), ("5m",), stuck("tasks", "3h 3m 20s")),
    Case("OutboxStuck", waits("events", 880) | waits("tasks", 10_500) | waits("deliveries", 90_000),
         ("19m",)),
    Case("OutboxStuck", waits("events", 9000) | GOES_ON | {'appliance_queue_paused{queue="default"}': "1x20"},
         ("19m",)),

    Case("DeadLetters", {"appliance_dead_letters": "1x80"}, ("355m",), ("360m",),
         (Alert({}, "1 tasks that failed for good wait for somebody to decide"),), every="5m"),
    Case("DeadLetters", {"appliance_dead_letters": "0x80"}, ("400m",), every="5m"),
)  # fmt: skip
