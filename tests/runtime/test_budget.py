"""The table and how it scales: what each program gets of machines of every size."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import plan, settings
from appliance.addresses import Paths
from appliance.plan import Budget, Plan
from appliance.runtime import allowance, budget, programs
from appliance.runtime.budget import GIB, MIB, PLANNED_MEMORY, TABLE
from appliance.runtime.cgroups.hierarchy import Hierarchy
from appliance.settings import HOME, Settings

SIZES = [(cpus, memory) for cpus in (1, 2, 4, 15, 16, 17, 64) for memory in (1, 2, 4, 8, 16, 64)]


def of(cpus: int, memory: int = 16) -> Budget:
    return budget.budget(range(cpus), memory * GIB)


def test_on_sixteen_cpus_it_is_the_plan() -> None:
    given = of(16)
    rows = {
        share.name: (share.quota, (share.memory or 0) // MIB, share.cores, share.processes)
        for share in given.shares
    }
    assert rows == {
        "nginx": (0.5, 256, (12,), 2),
        "api": (4, 1024, (0, 1, 2, 3), 4),
        "worker-high": (0.5, 512, (10,), 4),
        "worker-default": (0.5, 512, (11,), 4),
        "worker-ai": (4, 4096, (4, 5, 6, 7), 4),
        "scheduler": (1, 1024, (13,), 1),
        "mongo": (2, 2048, (8, 9), 1),
        "redis": (0.5, 256, (12,), 1),
        "monitoring": (0.5, 256, (14,), 1),
        "guardian": (None, 0, (14,), 1),
    }
    left = given.cpus - sum(share.quota or 0 for share in given.shares)
    assert left == 2.5
    assert 6.2 < (given.memory - sum(share.memory or 0 for share in given.shares)) / GIB < 6.3
    assert 15 not in {core for share in given.shares for core in share.cores}


def test_each_api_has_a_core_of_its_own_on_sixteen() -> None:
    api = of(16).share("api")
    assert [api.cores_of(program) for program in api.programs] == [(0,), (1,), (2,), (3,)]
    assert of(16).share("monitoring").cores_of("alertmanager") == (14,)


@pytest.mark.parametrize("cpus, memory", SIZES)
def test_whatever_the_size_every_program_can_work(cpus: int, memory: int) -> None:
    given = of(cpus, memory)
    for row, share in zip(TABLE, given.shares, strict=True):
        assert share.processes >= 1
        assert share.cores, row.name
        assert set(share.cores) <= set(range(cpus))
        assert share.quota is None or share.quota <= len(share.cores)
        if row.memory:
            assert share.memory
            assert share.memory >= (row.least + row.each * share.processes) * MIB
    assert sum(share.quota or 0 for share in given.shares) <= cpus
    assert budget.programs_memory(given) < memory * GIB


@pytest.mark.parametrize("cpus", [1, 2, 4, 15])
def test_below_sixteen_nothing_is_kept_idle(cpus: int) -> None:
    for share in of(cpus).shares:
        assert share.quota is None
        assert share.cores == tuple(range(cpus))
        assert not share.apart


@pytest.mark.parametrize("cpus, count", [(1, 2), (2, 2), (3, 3), (4, 4), (15, 4), (16, 4), (32, 8), (64, 16)])
def test_the_number_of_apis(cpus: int, count: int) -> None:
    api = of(cpus).share("api")
    assert api.processes == count
    assert api.programs == tuple(f"api-{number}" for number in range(1, count + 1))


@pytest.mark.parametrize(
    "cpus, workers, nginx, threads",
    [(1, 2, 1, 1), (2, 4, 1, 2), (4, 4, 2, 4), (16, 4, 2, 4), (64, 16, 8, 16)],
)
def test_the_numbers_of_processes(cpus: int, workers: int, nginx: int, threads: int) -> None:
    given = of(cpus)
    assert given.share("worker-high").processes == given.share("worker-default").processes == workers
    assert given.share("nginx").processes == nginx
    assert given.share("worker-ai").processes == threads


def test_from_sixteen_on_shares_do_not_overlap_but_where_the_plan_has_it_so() -> None:
    for cpus in (16, 17, 31, 64):
        given = of(cpus)
        busy = [given.share(name) for name in ("api", "mongo", "worker-ai", "worker-high", "scheduler")]
        cores = [core for share in busy for core in share.cores]
        assert len(cores) == len(set(cores))


def test_memory_grows_and_shrinks_with_the_machine() -> None:
    assert of(16, 64).share("mongo").memory == 8 * GIB
    assert of(16, 8).share("mongo").memory == 1 * GIB
    assert of(2, 2).share("mongo").memory == 768 * MIB


def test_the_table_of_the_documents_is_the_table() -> None:
    text = (HOME / "docs" / "operating.md").read_text().partition("## The budget")[2].partition("\n## ")[0]
    rows = re.findall(
        r"^\| ([\w-]+).*? \| ([\d.]+)[^|]* \| (\d+) (GiB|MiB)[^|]* \| ([\d–]+) \|", text, re.MULTILINE
    )
    told = {
        name: (float(cpus), int(size) * (1024 if unit == "GiB" else 1), cores)
        for name, cpus, size, unit, cores in rows
    }
    names = {"api": "api-1", "monitoring": "prometheus"}
    expected = {
        names.get(row.name, row.name): (row.cpus, row.memory, "–".join(map(str, sorted(set(row.cores)))))
        for row in TABLE
        if row.cpus
    }
    assert told.keys() >= expected.keys() - {"api-1"}
    assert {name: told.get(name, told.get("api")) for name in expected} == expected


# What is allowed


def made(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")
    return folder


def test_every_limit_above_us_counts(chosen: Settings, tmp_path: Path) -> None:
    """A container may be limited by any cgroup from its own up."""
    top = made(tmp_path, cpu__max="max 100000", memory__max="max")
    made(top / "a", cpu__max="100000 100000", memory__max=str(3 * GIB))
    own = made(top / "a" / "b", cpu__max="150000 100000", memory__max=str(5 * GIB))
    found = allowance.find(chosen, [Hierarchy(2, frozenset({"cpu", "memory"}), top, own)])
    assert (found.cpus, found.memory) == (1, 3 * GIB)
    assert found.cores == tuple(sorted(os.sched_getaffinity(0)))[:16]


def test_version_1_says_no_limit_by_a_number(chosen: Settings, tmp_path: Path) -> None:
    none = made(tmp_path / "m", memory__limit_in_bytes="9223372036854771712")
    cpu = made(tmp_path / "c", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    hierarchies = [
        Hierarchy(1, frozenset({"memory"}), none, none),
        Hierarchy(1, frozenset({"cpu"}), cpu, cpu),
    ]
    found = allowance.find(chosen, hierarchies)
    assert found.memory == min(PLANNED_MEMORY, allowance.host_memory())
    assert found.cpus == min(16, len(os.sched_getaffinity(0)))


@pytest.mark.parametrize("asked, cores", [(None, 16), (1, 1), (8, 8), (64, 64), (100, 64)])
def test_no_more_than_sixteen_cpus_unless_asked_for(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch, asked: int | None, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    found = allowance.find(replace(chosen, cpus=asked), [])
    assert (found.cpus, found.cores) == (cores, tuple(range(cores)))


def test_a_quota_below_the_cores_leaves_their_choice_to_the_kernel(
    chosen: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Several containers that all took the first two cores of a big host would crowd there."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    own = made(tmp_path, cpu__max="250000 100000")
    found = allowance.find(chosen, [Hierarchy(2, frozenset({"cpu"}), own, own)])
    assert (found.cpus, len(found.cores)) == (2, 8)
    given = budget.budget(found.cores, found.memory, cpus=found.cpus)
    assert (given.cpus, given.share("api").processes, given.share("mongo").cores) == (2, 2, tuple(range(8)))


@pytest.mark.parametrize(
    "text, size",
    [("16G", 16 * GIB), ("512m", 512 * MIB), ("2GiB", 2 * GIB), ("1073741824", GIB), ("1TB", 1024 * GIB)],
)
def test_memory_may_be_given_in_any_unit(text: str, size: int) -> None:
    assert settings.load({"APPLIANCE_MEMORY": text}, dotenv=Path("/nonexistent")).memory == size


def test_asked_memory_is_never_more_than_the_host_has(chosen: Settings) -> None:
    assert allowance.find(replace(chosen, memory=2**50), []).memory == allowance.host_memory()
    assert allowance.find(replace(chosen, memory=GIB), []).memory == GIB


# The plan


def test_a_plan_is_read_as_it_was_written(paths: Paths) -> None:
    written = Plan(of(16), "v1", {"cpu": "/a"}, {"memory": "no"}, ("/a",), "")
    plan.write(paths, written)
    assert plan.find(paths) == written
    paths.plan.write_text(paths.plan.read_text()[:-20])
    assert plan.find(paths) is None


def test_who_is_held_to_his_part_does_not_take_it_for_the_machine(paths: Paths, chosen: Settings) -> None:
    """nginx, launched again on its one core, must know of all four APIs."""
    assert programs.api_count(chosen) == max(2, min(4, len(os.sched_getaffinity(0))))
    plan.write(paths, Plan(of(16), "none"))
    assert programs.api_count(chosen) == 4


def test_every_program_has_a_row() -> None:
    every = {program for share in of(2).shares for program in share.programs}
    assert {"api-1" if name == "api" else name for name in programs.STOP_SIGNALS} <= every
