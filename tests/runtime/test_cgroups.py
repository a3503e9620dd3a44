"""The limits of the backend that is really here: do they bite, and is everything gone afterwards?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import pytest

from appliance import cgroup_files, plan
from appliance.addresses import Paths
from appliance.plan import CONTROLS, Budget, Plan, Share
from appliance.runtime import budget, cgroups
from appliance.runtime.cgroups import hierarchy, tree
from appliance.runtime.cgroups.hierarchy import Hierarchy
from appliance.runtime.cgroups.values import cores_list, parse_cores
from appliance.settings import HOME
from appliance.stores import programs
from tests.runtime.servers import until

MIB = 2**20
CORES = tuple(sorted(os.sched_getaffinity(0)))
LAST = CORES[-1:]

SMALL = Share("small", ("small",), 0.25, 0.1, 48 * MIB, LAST, False, 0, 700, 1)
PAIR = Share("pair", ("left", "right"), 1.0, None, 64 * MIB, CORES, False, 5, 0, 1)
TEST_BUDGET = Budget(1, 256 * MIB, CORES, (SMALL, PAIR))


class Confined(subprocess.Popen[str]):
    """Some wait to be ended: a test that fails meanwhile must not wait for them."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, fault, trace)


def confined(paths: Paths, program: str, deed: str, number: float = 0) -> Confined:
    return Confined(
        [sys.executable, "-m", "tests.runtime.confined", str(paths.data), program, deed, str(number)],
        cwd=HOME,
        env={**os.environ, "PYTHONPATH": str(HOME)},
        stdout=subprocess.PIPE,
        text=True,
    )


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline().strip()


def done(paths: Paths, program: str, deed: str, number: float = 0) -> list[str]:
    with confined(paths, program, deed, number) as child:
        return said(child).split()


@pytest.fixture
def held(paths: Paths) -> Iterator[Plan]:
    """The test's own small budget, enforced by whatever this machine has; named in the output."""
    made = cgroups.establish(paths, TEST_BUDGET)
    try:
        yield made
    finally:
        assert cgroups.remove(paths) == []
        assert not [top for top in made.made if Path(top).exists()]


def need(held: Plan, control: str, capsys: pytest.CaptureFixture[str]) -> Path:
    """The appliance's cgroup for the control. Says which backend is tested; skips where there is none."""
    with capsys.disabled():
        print(f" [{held.backend}: {control}]", end="", flush=True)
    if control not in held.folders:
        pytest.skip(f"{control} cannot be enforced here: {held.degraded[control]}")
    return Path(held.folders[control])


def test_a_quota_holds_a_program_back(paths: Paths, held: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    need(held, "cpu", capsys)
    (used,) = done(paths, "small", "burn", 2)
    assert float(used) < 0.1 * 2 + 0.1  # a period more
    throttled = programs.use(held, "small", None).throttled
    assert throttled


def test_without_a_quota_a_program_is_held_to_the_whole(
    paths: Paths, held: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    top = need(held, "cpu", capsys)
    assert cgroup_files.find_quota(top) == TEST_BUDGET.cpus
    started = time.monotonic()
    children = [confined(paths, name, "burn", 2) for name in ("left", "left", "right", "right")]
    used = sum(float(child.communicate()[0]) for child in children)
    assert used < TEST_BUDGET.cpus * (time.monotonic() - started) + 0.2


def test_a_program_cannot_leave_its_cores(
    paths: Paths, held: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    need(held, "cpuset", capsys)
    assert done(paths, "small", "widen") == [str(core) for core in LAST]
    assert done(paths, "left", "widen") == [str(core) for core in CORES]


def test_who_takes_too_much_memory_is_ended_and_counted(
    paths: Paths, held: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    need(held, "memory", capsys)
    with confined(paths, "small", "hold", 200) as child:
        assert child.wait(30) == -signal.SIGKILL
    use = programs.use(held, "small", None)
    assert use.oom_kills == 1
    assert use.peak
    assert 30 * MIB < use.peak <= 48 * MIB
    assert programs.use(held, "left", None).oom_kills == 0


def test_programs_that_have_a_share_together_are_limited_together_and_counted_apart(
    paths: Paths, held: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    need(held, "memory", capsys)
    with confined(paths, "left", "hold", 35) as first:
        assert said(first).startswith("holds")
        with confined(paths, "right", "hold", 45) as second:
            until(lambda: first.poll() is not None or second.poll() is not None, 30)
            kills = [programs.use(held, name, None).oom_kills for name in ("left", "right")]
            assert sum(kill or 0 for kill in kills) == 1
            first.kill()
            second.kill()


def test_all_together_have_a_limit_too(held: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    top = need(held, "memory", capsys)
    assert cgroup_files.find_memory_limit(top) == budget.programs_memory(TEST_BUDGET)


def test_what_was_given_is_read_back_from_the_kernel(
    paths: Paths, held: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    for control in CONTROLS:
        need(held, control, capsys)
    with confined(paths, "small", "wait") as child:
        grandchild = int(said(child))
        asked, given = programs.asked(held, "small"), programs.given(held, "small", child.pid)
        assert given == asked
        with confined(paths, "right", "wait") as other:
            said(other)
            part = programs.given(held, "right", other.pid)
            assert part == replace(asked, cpus=1.0, weight=1.0, memory=64 * MIB, cores=CORES, nice=5)  # type: ignore[type-var]
            os.kill(grandchild, signal.SIGKILL)
            # Nobody outside is taken for one who is held.
            outside = programs.given(held, "small", os.getpid())
            assert outside
            assert (outside.cpus, outside.memory) == (None, None)
            cgroups.remove(paths)


def test_whoever_hides_from_every_signal_is_ended_and_nothing_is_left(
    paths: Paths, held: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    top = need(held, "memory", capsys)
    with confined(paths, "left", "wait") as child:
        grandchild = int(said(child))
        assert {child.pid, grandchild} <= set(tree.members(top))
        # As the next start after kill -9 does: it knows of the cgroups by the plan alone.
        assert cgroups.remove(paths) == []
        assert child.wait(10) == -signal.SIGKILL
    until(lambda: not Path(f"/proc/{grandchild}").exists() or _is_zombie(grandchild))
    assert not top.exists()
    assert plan.find(paths) is None


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_a_second_start_takes_over_what_a_killed_one_left(paths: Paths, held: Plan) -> None:
    again = cgroups.establish(paths, TEST_BUDGET)
    assert (again.folders, again.degraded) == (held.folders, held.degraded)


def test_each_data_folder_has_cgroups_of_its_own(paths: Paths, held: Plan, tmp_path: Path) -> None:
    other = Paths(tmp_path)
    other.run.mkdir()
    assert cgroups.name_of(other) != cgroups.name_of(paths)
    # A copy of the data folder holds the plan of the first: its cgroups are not ours to remove.
    other.plan.write_text(paths.plan.read_text())
    assert cgroups.remove(other) == []
    assert [top for top in held.made if Path(top).exists()] == list(held.made)


def test_a_plan_that_names_what_is_no_cgroup_ends_nobody(paths: Paths, tmp_path: Path) -> None:
    """Whoever may write to the data folder may write the plan."""
    home, (mount, *_) = tmp_path / "home", [each.mount for each in hierarchy.find_all()] or [Path("/")]
    top = tmp_path / cgroups.name_of(paths)
    for folder in (home, top):
        folder.mkdir()
        (folder / "cgroup.procs").touch()
    with subprocess.Popen(["sleep", "300"]) as stranger:
        (top / "cgroup.procs").write_text(f"{stranger.pid}\n")
        (top / "cgroup.subtree_control").write_text("cpu\n")
        named = (str(top), str(mount / ".." / "/".join([".."] * 9) / str(top).lstrip("/")))
        plan.write(paths, Plan(TEST_BUDGET, "v2", {}, {}, named, str(home)))
        assert cgroups.remove(paths) == []
        assert stranger.poll() is None
        stranger.kill()
    assert top.is_dir()
    assert (home / "cgroup.procs").read_text() == ""


# Where less can be had


def test_without_any_cgroups_cores_and_rank_still_hold(paths: Paths) -> None:
    made = cgroups.establish(paths, TEST_BUDGET, [])
    assert (made.backend, made.folders, made.made) == ("none", {}, ())
    assert made.reasons() == {"this machine, or container, offers no cgroup controllers": list(CONTROLS)}
    assert done(paths, "small", "tell") == ["0", "700", *map(str, LAST)]
    nice, rank, *cores = done(paths, "left", "tell")
    assert (nice, rank, cores) == ("5", str(_own_rank()), [str(core) for core in CORES])


def _own_rank() -> int:
    return int(Path("/proc/self/oom_score_adj").read_text())


def test_a_control_that_cannot_be_had_leaves_the_others(paths: Paths) -> None:
    found = hierarchy.find_all()
    if not any(each.version == 1 and "memory" in each.controllers for each in found):
        pytest.skip("the controllers are not of version 1 here")
    # A place that no cgroup can be made in, whoever asks.
    spoilt = [each._replace(own=Path("/proc/1")) if "memory" in each.controllers else each for each in found]
    made = cgroups.establish(paths, TEST_BUDGET, spoilt)
    try:
        assert set(made.degraded) == {"memory"}
        assert "/proc/1/appliance-" in made.degraded["memory"]
        assert set(made.folders) == {"cpu", "cpuset"}
        assert done(paths, "small", "widen") == [str(core) for core in LAST]
    finally:
        assert cgroups.remove(paths) == []


def test_version_2_without_controllers_is_left_as_it_was_found(paths: Paths) -> None:
    """On a host that has both versions: moving to the leaf and back is real, the controllers elsewhere."""
    unified = [each for each in hierarchy.find_all() if each.version == 2]
    if not unified or unified[0].controllers & set(CONTROLS) or not os.access(unified[0].own, os.W_OK):
        pytest.skip("there is no version 2 without controllers here")
    code = (
        "import sys\nfrom pathlib import Path\nfrom appliance.addresses import Paths\n"
        "from appliance.runtime import cgroups\nfrom appliance.runtime.cgroups import hierarchy\n"
        "from tests.runtime.test_cgroups import TEST_BUDGET\n"
        "paths = Paths(Path(sys.argv[1]))\n"
        "where = lambda: [each for each in hierarchy.find_all() if each.version == 2]\n"
        "first = where()[0]\n"
        "made = cgroups.establish(paths, TEST_BUDGET, [first._replace(controllers=frozenset({'cpu'}))])\n"
        "print(made.backend, sorted(made.degraded), where()[0].own.name, len(made.made))\n"
        "print(made.degraded['cpu'])\n"
        "print(cgroups.remove(paths), where() == [first], Path(made.made[0]).exists())\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(paths.data)],
        env={**os.environ, "PYTHONPATH": str(HOME)}, cwd=HOME, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stderr == ""
    first, reason, last = told.stdout.splitlines()
    assert first == "none ['cpu', 'cpuset', 'memory'] supervisor 1"
    assert reason == "the kernel does not offer the controller"
    assert last == "[] True False"


# Finding them


HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw shared:7 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
IN_HYBRID = {"cpu": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory/user.slice/a b"}
DOCKER = "35 31 0:32 /docker/12ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
SPACES = "35 31 0:32 / /mnt/my\\040cgroups rw - cgroup cgroup rw,memory\n"
MOUNTS = {
    "hybrid": (HYBRID, "4:memory:/user.slice/a b\n1:cpu,cpuacct:/\n0::/user.slice\n", IN_HYBRID),
    "a container with the host's names": (
        DOCKER,
        "4:memory:/docker/12ab\n",
        {"memory": "/sys/fs/cgroup/memory"},
    ),
    "somebody else's part": (DOCKER, "4:memory:/docker/34cd\n", {}),
    "out of its namespace": (HYBRID, "4:memory:/../34cd\n", {}),
    "a place with spaces": (SPACES, "4:memory:/x\n", {"memory": "/mnt/my cgroups/x"}),
}


@pytest.mark.parametrize("name", MOUNTS)
def test_our_own_cgroups_are_found(tmp_path: Path, name: str) -> None:
    mounts, groups, expected = MOUNTS[name]
    (tmp_path / "mountinfo").write_text(mounts)
    (tmp_path / "cgroup").write_text(groups)
    found = hierarchy.find_all(tmp_path)
    owns = {control: str(each.own) for each in found for control in each.controllers if control in CONTROLS}
    assert owns == expected


def test_a_machine_without_proc_has_none(tmp_path: Path) -> None:
    assert hierarchy.find_all(tmp_path) == []


@pytest.mark.parametrize(
    "first, second, kind",
    [
        ({"cpu"}, set(), "v1"),
        ({"cpu"}, {"memory"}, "v1"),
        (set(), {"cpu", "io"}, "v2"),
        ({"pids"}, {"hugetlb"}, None),
    ],
)
def test_a_host_with_both_versions_counts_as_version_1(
    first: set[str], second: set[str], kind: str | None
) -> None:
    here = Path("/nowhere")
    chosen = cgroups.choose(
        [Hierarchy(1, frozenset(first), here, here), Hierarchy(2, frozenset(second), here, here)]
    )
    assert (chosen.kind if chosen else None) == kind


@pytest.mark.parametrize(
    "cores, text", [((0,), "0"), ((0, 1, 2, 5), "0-2,5"), ((1, 3, 4), "1,3-4"), ((), "")]
)
def test_the_kernels_way_to_write_cores(cores: tuple[int, ...], text: str) -> None:
    assert cores_list(cores) == text
    assert parse_cores(text) == cores
