from __future__ import annotations

import pytest

from appliance.queue.redaction import redacted

ID = "01a21983-366c-796c-aec7-4eaa8421347e"


@pytest.mark.parametrize(
    "text, kept",
    [
        ("smtp://forms:hunter2@mail.example.org:587 refused", "smtp://***@mail.example.org:587 refused"),
        ("Authorization: Bearer abc.def, then", "Authorization: ***, then"),
        ("{'password': 'correct horse', 'name': 'x'}", "{'password': ***, 'name': 'x'}"),
        ("api_key=k-123; retries=3", "api_key=***; retries=3"),
        ("signed by whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signed by ***"),
        ("{'ada.lovelace@example.org': (550, b'none')}", "{'a***@example.org': (550, b'none')}"),
        ("key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "key ***"),
    ],
)
def test_secrets_and_addresses_are_left_out(text: str, kept: str) -> None:
    assert redacted(text) == kept
    assert redacted(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        f"task {ID} failed",
        'File "/opt/appliance/services/deliveries.py", line 12, in a_function_with_a_very_long_name_in_it',
        "MailError: 450 b'come back later'",
        "connect to [::1]:8080 timed out after 10 s",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("piece", ["a@", "x", "password=", "1a-", "\"'", "a@a.", "token: '", "://a"])
def test_hostile_text_is_done_in_time(piece: str) -> None:
    """Quadratic in what is kept of an error would be milliseconds, exponential would never end."""
    assert isinstance(redacted("://" + piece * (4_000 // len(piece))), str)
