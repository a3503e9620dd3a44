"""What Prometheus is told of the engine."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from appliance import addresses
from appliance.addresses import Paths
from appliance.analytics.lake import Lake
from appliance.analytics.lake_metrics import LakeCollector
from appliance.backups.course_metrics import BackupCollector
from appliance.metrics.families import CountsCollector
from appliance.ops import supervisor
from appliance.queue import scripts
from appliance.queue.metrics import BOUNDS, QueueCollector
from appliance.services import lake_runs
from appliance.services.context import Context
from appliance.settings import HOME
from appliance.stores.ai_counts import AiCollector
from appliance.stores.tallies import TallyCollector
from appliance.tasks.certificate_metrics import CertificateCollector
from appliance.tasks.door_metrics import BuildCollector, NginxCollector
from appliance.tasks.nginx_answers import NginxAnswers
from appliance.tasks.program_metrics import ProgramCollector
from appliance.tasks.relay import Relay
from appliance.tasks.secret_metrics import SecretCollector
from appliance.tasks.watch import Watch
from tests.api.forms import publish, submit
from tests.api.tasks import paused, until_status
from tests.faults.steering import stopped, until_whole, with_context
from tests.ops.command import appliance_command
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until


def scrape(appliance: Running) -> dict[tuple[str, ...], float]:
    """By name and label values."""
    answer = httpx.get(
        f"http://127.0.0.1:{addresses.metrics_port(appliance.settings)}/metrics", trust_env=False
    )
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items(), key=_bound_last))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_it_counts_what_happens(appliance: Running, cast: People) -> None:
    """At the least: others' tasks run here as well. tests/queue/test_metrics.py counts exactly."""
    before = scrape(appliance)
    assert before["appliance_queue_up",] == 1
    form_id = publish(cast.alice, public=True, notify=[f"{unique('w')}@example.org"])
    with paused(cast.admin, "default"):
        (task_id,) = submit(cast.nobody, form_id).json()["task_ids"]
        until_status(cast.alice, task_id, "queued")
        waiting = scrape(appliance)
    until_status(cast.alice, task_id, "completed")
    after = scrape(appliance)
    assert waiting["appliance_queue_depth", "default"] >= 1
    assert (waiting["appliance_queue_paused", "default"], after["appliance_queue_paused", "default"]) == (
        1,
        0,
    )
    assert waiting["appliance_queue_oldest_seconds", "default"] < 600
    for transition in ("enqueued", "started", "completed"):
        key = ("appliance_tasks_total", "default", transition)
        assert after[key] > before[key], transition
    for name, label in (("run", "notify_watchers"), ("wait", "default")):
        count, total = (f"appliance_task_{name}_seconds_{each}" for each in ("count", "sum"))
        assert after[count, label] > before[count, label]
        assert after[total, label] >= before[total, label]
        assert after[f"appliance_task_{name}_seconds_bucket", label, "+Inf"] == after[count, label]


def test_without_redis_it_says_so(appliance: Running) -> None:
    with stopped(appliance, "redis"):
        told = {
            key: value
            for key, value in scrape(appliance).items()
            if any(each in key[0] for each in ("_queue_", "_task", "_ai_", "_receipts_"))
        }
        assert told == {("appliance_queue_up",): 0}
    until_whole(appliance)
    assert scrape(appliance)["appliance_queue_up",] == 1


def test_the_bounds_are_those_of_the_scripts() -> None:
    found = re.search(r"BOUNDS = \{([^}]*)\}", scripts.text("commit"))
    assert found is not None
    assert [int(each) for each in found[1].split(",")] == [bound * 1000 for bound in BOUNDS]


def test_it_tells_how_old_each_secret_is(appliance: Running) -> None:
    ages = {labels[0]: age for (name, *labels), age in scrape(appliance).items() if "_secret_age_" in name}
    assert {"jwt", "cursors", "webhooks", "database", "redis", "admin", "SMTP_URL"} <= ages.keys()
    assert all(0 <= age < 24 * 3600 for age in ages.values())


def test_it_counts_the_restarts_that_nobody_asked_for(appliance: Running) -> None:
    """As `status` does, and by the label of node-exporter."""
    name = "node-exporter"

    def told() -> dict[str, float]:
        found = scrape(appliance).items()
        return {
            labels[0]: count for (key, *labels), count in found if key == "appliance_program_restarts_total"
        }

    before = told()
    assert {name, "nginx", "scheduler", "guardian"} <= before.keys(), "also those that have never ended"
    words = ("supervisorctl", "restart", name)
    ended = appliance_command(*words, data=appliance.paths.data, **appliance.environ)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert told() == before
    appliance.signal(name)
    until(lambda: told()[name] == before[name] + 1)
    until(lambda: appliance.program(name).is_running)
    shown = {each.name: each.restarts for each in supervisor.ask(appliance.paths)}
    assert shown.items() <= told().items() and shown[name] == before[name] + 1


def test_it_tells_whether_backups_are_missing(tmp_path: Path) -> None:
    told = {
        family.name: family.samples[0].value
        for family in BackupCollector(tmp_path, lambda kind: kind == "drill").collect()
    }
    assert told["appliance_backup_missing"] == 0 and told["appliance_backup_drill_missing"] == 1
    assert "appliance_backup_last_success_timestamp_seconds" not in told, "there was none"


def test_it_tells_when_a_run_of_the_lake_was_due(appliance: Running, tmp_path: Path) -> None:
    """Not before the first of its times: a new lake is late for nothing."""
    lake = Lake(Paths(tmp_path).lake)
    lake.folder.mkdir()
    noon = dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC)

    def told() -> dict[str, float]:
        return {family.name: family.samples[0].value for family in LakeCollector(lake).collect()}

    async def ask(context: Context) -> None:
        there = replace(context.settings, data=tmp_path, analytics_cron="0 2 * * 0")
        own = replace(context, settings=there)
        doing = lake_runs.Doing()
        doing._last = noon  # as a new one has it
        await doing._ask_on_time(own, noon + dt.timedelta(hours=1))
        assert told() == {}
        await doing._ask_on_time(own, noon + dt.timedelta(days=1))

    with_context(appliance, ask)
    due = dt.datetime(2026, 3, 29, 2, tzinfo=dt.UTC).timestamp()
    assert told() == {"appliance_lake_due_timestamp_seconds": due}
    (lake.folder / "due.json").write_text("{")
    assert told() == {}, "a scrape goes on"


def test_every_metric_is_documented() -> None:
    text = (HOME / "docs" / "metrics.md").read_text()
    told = re.findall(r"^\| `((?:appliance|nginx|mongodb)_\w+)", text, re.MULTILINE)
    families = [
        *QueueCollector.describe(QueueCollector.__new__(QueueCollector)),
        *BackupCollector.describe(BackupCollector.__new__(BackupCollector)),
        *AiCollector.describe(AiCollector.__new__(AiCollector)),
        *LakeCollector.describe(LakeCollector.__new__(LakeCollector)),
        *CertificateCollector.describe(CertificateCollector.__new__(CertificateCollector)),
        *TallyCollector.describe(TallyCollector.__new__(TallyCollector)),
        *SecretCollector.describe(SecretCollector.__new__(SecretCollector)),
        *CountsCollector(Path("/nonexistent")).describe(),
        *NginxCollector(Path("/nonexistent")).describe(),
        *NginxAnswers().describe(),
        *ProgramCollector.describe(ProgramCollector.__new__(ProgramCollector)),
        *BuildCollector.describe(BuildCollector.__new__(BuildCollector)),
        *Watch().describe(),
        *Relay().describe(),
    ]
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert sorted(told) == sorted(names)


def _bound_last(label: tuple[str, str]) -> bool:
    return label[0] in ("le", "transition")
