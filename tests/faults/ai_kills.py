"""`scripts/faults ai`: worker-ai is killed at random in the middle of an analysis of many responses.

Two forms have the same responses. One is read undisturbed, the other while worker-ai is killed with all
its processes at so many random places. Nothing may be read twice but the piece that was under way, none be
left out, and the results must be the same.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from typing import Any, NamedTuple

import httpx

from tests import models
from tests.bench import ai_job
from tests.running import Running, running
from tests.runtime.servers import until

analyze = ai_job.analyze
_SHOWN = 5
"""Differences that are shown."""
_OVER = ("completed", "failed", "cancelled")


class Summary(NamedTuple):
    responses: int
    kills: int
    replays: int
    """The fourth worker that dies over a task makes it a dead letter, which was begun anew."""
    missing: int
    twice: int
    """Results that were there when a worker was killed, and were written once more."""
    different: int
    """Results that are not those of the undisturbed run."""
    not_counted: int
    """Responses that neither were said to be read nor to be known."""
    undisturbed_s: float
    killed_s: float

    @property
    def is_clean(self) -> bool:
        return not (self.missing or self.twice or self.different or self.not_counted)


def filled(client: httpx.Client, count: int) -> str:
    form_id = ai_job.publish(client)
    ai_job.fill(client, form_id, count)
    return form_id


def results(appliance: Running, form_id: str) -> dict[int, dict[str, Any]]:
    """By the number of the response; so are those that it says the same as."""
    with appliance.database() as client:
        found = client.get_default_database("appliance").ai_results.find(
            {"form_id": form_id, "kind": "response"}
        )
        rows = {row["_id"]: row for row in found}
    for row in rows.values():
        if (first := row["result"]["duplicate_of"]) is not None:
            row["result"]["duplicate_of"] = rows[first]["seq"]
    return {row["seq"]: row for row in rows.values()}


def compare(appliance: Running, client: httpx.Client, responses: int, kills: int, seed: int) -> Summary:
    calm, rough = filled(client, responses), filled(client, responses)
    began = time.monotonic()
    ai_job.until_done(client, analyze(client, calm), 1200)
    undisturbed = time.monotonic() - began
    began = time.monotonic()
    run = _Run(appliance, client, rough, analyze(client, rough))
    chance = random.Random(seed)
    for place in sorted(chance.sample(range(1, responses * 9 // 10), kills)):
        run.kill_at(place)
    task = run.ended()
    expected, found = results(appliance, calm), results(appliance, rough)
    both = sorted(expected.keys() & found.keys())
    same = {seq for seq in both if _told(expected[seq]) == _told(found[seq])}
    for seq in [each for each in both if each not in same][:_SHOWN]:
        one, other = _told(expected[seq]), _told(found[seq])
        unlike = {name: (one[name], other[name]) for name in one if one[name] != other[name]}
        print(f"response {seq} is not the same: {unlike}", file=sys.stderr)
    result = task["result"]
    return Summary(
        responses=responses,
        kills=run.kills,
        replays=run.replays,
        missing=len(expected.keys() - found.keys()),
        twice=sum(found[seq]["created_at"] != at for seq, at in run.seen.items()),
        different=len(found.keys() - same),
        not_counted=responses - result["read"] - result["unchanged"],
        undisturbed_s=round(undisturbed, 1),
        killed_s=round(time.monotonic() - began, 1),
    )


def _told(row: dict[str, Any]) -> Any:
    return {name: value for name, value in row["result"].items() if name != "inference_time"}


class _Run:
    def __init__(self, appliance: Running, client: httpx.Client, form_id: str, task_id: str) -> None:
        self._appliance, self._client, self._form, self._task = appliance, client, form_id, task_id
        self.kills = self.replays = 0
        self.seen: dict[int, Any] = {}
        """When each result that a kill found was written."""

    def kill_at(self, place: int) -> None:
        """Once so many are read, or a little later."""
        until(lambda: self._count() >= place or self._is_over(), 600, f"{place} are read")
        if self._is_over() and not self._replay():
            return
        self._appliance.signal("worker-ai", signal.SIGKILL)
        self.kills += 1
        there = {seq: row["created_at"] for seq, row in results(self._appliance, self._form).items()}
        self.seen = {**there, **self.seen}

    def ended(self) -> dict[str, Any]:
        until(lambda: self._is_over() and not self._replay(), 1200, "the job has ended")
        return ai_job.until_done(self._client, self._task)

    def _count(self) -> int:
        return len(results(self._appliance, self._form))

    def _is_over(self) -> bool:
        return ai_job.task(self._client, self._task)["status"] in _OVER

    def _replay(self) -> bool:
        """Begin a dead letter anew; false when the job is no such."""
        if ai_job.task(self._client, self._task)["status"] != "failed":
            return False
        path = f"/api/v1/dead-letters/{self._task}/replay"
        answer = self._client.post(path)
        self.replays += answer.is_success
        return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/faults ai", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--responses", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    models.until_built()
    with running() as appliance, appliance.client(appliance.login()) as client:
        models.until_at_work(appliance)
        summary = compare(appliance, client, asked.responses, asked.kills, asked.seed)
    for name, value in summary._asdict().items():
        print(f"{name.replace('_', ' '):16} {value}")
    return 0 if summary.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
