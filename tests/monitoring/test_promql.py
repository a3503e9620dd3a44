"""PromQL over the API: admins alone, and Prometheus's own answers."""

from __future__ import annotations

import time

from tests.api.forms import errors
from tests.people import People
from tests.runtime.servers import until

URL = "/api/v1/metrics"


def test_admins_ask_what_prometheus_knows(cast: People) -> None:
    asked = {"query": 'sum(up{job="appliance"})'}

    def value() -> list[str]:
        answer = cast.admin.get(f"{URL}/query", params=asked)
        assert answer.status_code == 200, answer.text
        return [row["value"][1] for row in answer.json()["data"]["result"]]

    until(lambda: value() == ["1"], 60, "it was scraped")
    now = time.time()
    span = {**asked, "start": str(now - 60), "end": str(now), "step": "15s"}
    told = cast.admin.get(f"{URL}/query_range", params=span).json()
    assert told["status"] == "success" and told["data"]["resultType"] == "matrix"
    assert told["data"]["result"][0]["values"][-1][1] == "1"


def test_nobody_else_does(cast: People) -> None:
    asked = {"query": "up"}
    assert cast.nobody.get(f"{URL}/query", params=asked).status_code == 401
    assert cast.alice.get(f"{URL}/query", params=asked).status_code == 403
    span = {"start": "0", "end": "1", "step": "1"}
    assert cast.alice.get(f"{URL}/query_range", params=asked | span).status_code == 403


def test_what_prometheus_does_not_take_is_refused_in_its_words(cast: People) -> None:
    answer = cast.admin.get(f"{URL}/query", params={"query": "sum("})
    assert answer.status_code == 422 and "parse error" in errors(answer)["/query"]
    assert cast.admin.get(f"{URL}/query", params={"query": "up", "time": "soon"}).status_code == 422
    span = {"query": "up", "start": "0", "end": str(time.time()), "step": "1s"}
    answer = cast.admin.get(f"{URL}/query_range", params=span)
    assert answer.status_code == 422 and "11,000" in errors(answer)["/query"]
    assert cast.admin.get(f"{URL}/query").status_code == 400
