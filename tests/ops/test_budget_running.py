"""The budget of an appliance that really runs: what each program was given, and what it used under load."""

from __future__ import annotations

import concurrent.futures
import json
import re
from pathlib import Path
from typing import Any

import pytest

from appliance import addresses, plan, processes, trees
from appliance.addresses import read_line
from appliance.plan import Plan
from appliance.runtime import monitoring
from tests.api import exports
from tests.api.forms import publish, submit
from tests.ops.test_running import command
from tests.people import People
from tests.running import Running

Row = dict[str, Any]
NDJSON = {"content-type": "application/x-ndjson"}


def status(appliance: Running) -> Row:
    report: Row = json.loads(command(appliance, "status", "--json").stdout)
    return report


@pytest.fixture
def planned(appliance: Running) -> Plan:
    found = plan.find(appliance.paths)
    assert found
    return found


def test_every_program_was_given_what_the_budget_has_for_it(appliance: Running, planned: Plan) -> None:
    report = status(appliance)
    assert report["budget"]["enforced_by"] == planned.backend
    assert report["budget"]["not_enforced"] == planned.degraded
    for row in report["programs"]:
        asked, given = row["asked"], row["given"]
        assert asked, row["name"]
        assert asked["cores"] == given["cores"]
        assert asked["nice"] == given["nice"]
        if "cpu" in planned.folders:
            assert asked["cpus"] == given["cpus"]
            if asked["weight"] is not None:  # the guardian has the kernel's own
                assert asked["weight"] == pytest.approx(given["weight"], rel=0.01)
        if (
            "memory" in planned.folders and asked["memory"] is not None
        ):  # the guardian has a part of the whole
            assert asked["memory"] == given["memory"]


def test_whatever_a_program_starts_is_in_its_cgroups(appliance: Running, planned: Plan) -> None:
    for control in planned.folders:
        for row in status(appliance)["programs"]:
            folder = planned.folder_of(control, row["name"])
            assert folder
            inside = set(map(int, (folder / "cgroup.procs").read_text().split()))
            # Trees change meanwhile: a child that just ended, or begins, is in neither or both.
            members = set(trees.members(row["pid"]))
            assert row["pid"] in inside
            assert {pid for pid in members - inside if processes.find_stat(pid)} == set()


def test_the_system_route_tells_admins_the_same(cast: People, appliance: Running, planned: Plan) -> None:
    answer = cast.admin.get("/api/v1/system")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["budget"]["cpus"] == planned.budget.cpus
    shown = {row["name"]: row for row in status(appliance)["programs"]}
    for row in told["programs"]:
        if row["name"] == "supervisord":
            continue
        assert (row["state"], row["pid"]) == ("running", shown[row["name"]]["pid"])
        assert (row["asked"], row["given"]) == (shown[row["name"]]["asked"], shown[row["name"]]["given"])
        assert row["restarts"] == shown[row["name"]]["restarts"]
        assert row["uptime"] > 0
        assert row["use"]["memory"] > 1_000_000
    assert {row["name"] for row in told["programs"]} == {*shown, "supervisord"}


def test_only_the_sockets_of_the_plan_are_listened_on(appliance: Running) -> None:
    chosen, paths = appliance.settings, appliance.paths
    rows = {row["name"]: trees.members(row["pid"]) for row in status(appliance)["programs"]}
    found = {
        (name, str(each.address), each.port) for name, pids in rows.items() for each in trees.listeners(pids)
    }
    assert found == {
        ("nginx", "127.0.0.1", chosen.http_port),
        ("nginx", "127.0.0.1", chosen.https_port),
        ("nginx", "127.0.0.1", addresses.inner_port(chosen, "alerts")),
        ("mongo", "127.0.0.1", int(read_line(paths.mongo_port))),
        ("scheduler", "127.0.0.1", addresses.metrics_port(chosen)),
        *((name, "127.0.0.1", addresses.inner_port(chosen, name)) for name in monitoring.PROGRAMS),
    }
    planned = plan.find(paths)
    assert planned
    apis = range(1, planned.budget.share("api").processes + 1)
    expected = {paths.supervisor_socket, paths.redis_socket, paths.nginx_socket, paths.search_socket}
    expected |= {paths.api_socket(number) for number in apis}
    assert unix_listeners(paths.run) == {str(path) for path in expected}


def unix_listeners(folder: Path) -> set[str]:
    """Of the whole machine, below the folder (proc_net_unix: the flag 00010000 is `accepts connections`)."""
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    found = {line[7] for line in lines if line[3] == "00010000" and line[-1].startswith(f"{folder}/")}
    return {re.sub(r"\.\d+$", "", path) for path in found}  # supervisord binds under another name first


def test_under_mixed_load_every_program_stays_below_its_plan(
    appliance: Running, cast: People, planned: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    """Submissions one by one and by the batch, lists, exports at once and by task, logins."""
    if "memory" not in planned.folders:
        pytest.skip(f"memory is not counted here: {planned.degraded['memory']}")
    before = {row["name"]: row["oom_kills"] for row in status(appliance)["programs"]}
    form_id = publish(cast.alice)
    lines = "".join(json.dumps({"data": {"name": f"n{at}", "words": "x" * 500}}) + "\n" for at in range(3000))
    batch = f"/api/v1/forms/{form_id}/responses/batch"
    deeds = [
        lambda: cast.alice.post(batch, content=lines, headers=NDJSON).status_code == 200,
        lambda: all(submit(cast.charlie, publish(cast.charlie)).status_code == 201 for _ in range(5)),
        lambda: all(submit(cast.alice, form_id).status_code == 201 for _ in range(100)),
        lambda: bool([appliance.login() for _ in range(4)]),
        lambda: all(cast.alice.get(f"/api/v1/forms/{form_id}/responses?limit=200").json() for _ in range(20)),
    ]
    with concurrent.futures.ThreadPoolExecutor(len(deeds)) as pool:
        assert all(pool.map(lambda deed: deed(), deeds))
    kinds = ("csv", "xlsx", "ndjson", "parquet")
    tasks = [exports.start(cast.alice, form_id, format=kind) for kind in kinds]
    for kind in kinds:
        assert exports.ask(cast.alice, form_id, format=kind).status_code == 200
    for task in tasks:
        exports.fetch(cast.alice, task)
    report = status(appliance)
    with capsys.disabled():
        print(*(f"\n  {row['name']}: peak {row['peak'] >> 20} of {row['asked']['memory'] >> 20} MiB"
                for row in report["programs"] if row["asked"]["memory"]))  # fmt: skip
    for row in report["programs"]:
        # Hostile files of earlier tests may have cost a child its life, as they should.
        assert row["oom_kills"] == before[row["name"]], row["name"]
        assert row["asked"]["memory"] is None or row["peak"] < row["asked"]["memory"], row["name"]


def test_status_for_people_has_the_budget(appliance: Running, planned: Plan) -> None:
    told = command(appliance, "status").stdout
    assert f"budget    {planned.budget.cpus} CPUs" in told
    assert "OOM KILLS" in told
    for control, reason in planned.degraded.items():
        assert f"not held to {control}: {reason}" in told
