"""An appliance with a `.env` of its own, which tests may change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.running import Running
from tests.runtime.servers import temporary_data


class Dotted(Running):
    """`.env` lies beside the data folder."""

    @contextlib.contextmanager
    def changed(self, *lines: str) -> Iterator[None]:
        """With these lines at its end."""
        path = self.settings.data.parent / "env"
        before = path.read_text()
        path.write_text(before + "".join(f"{line}\n" for line in lines))
        try:
            yield
        finally:
            path.write_text(before)


SECRETS = {
    "SECRET_KEY": "sesame-secret-key/of the.env+with?signs=and more",
    "ALERT_SLACK_URL": "https://hooks.sesame-slack.test/services/sesame-slack-path",
    "ALERT_PAGERDUTY_KEY": "sesamepagerdutykey0123456789abcd",
    "SMTP_URL": "smtp://sesame-mailer:sesame%2Fmail@127.0.0.1:1",
    "APPLIANCE_ADMIN_PASSWORD": 'sesame-first-admin\'s "password"',
}


@pytest.fixture(scope="session")
def dotted() -> Iterator[Dotted]:
    with temporary_data() as data:
        data.parent.mkdir(parents=True, exist_ok=True)
        dotenv = data.parent / "env"
        dotenv.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
        dotenv.chmod(0o600)
        appliance = Dotted(data, APPLIANCE_DOTENV=str(dotenv))
        try:
            appliance.start()
            yield appliance
        finally:
            appliance.stop()
