"""APPLIANCE_USER: who may be asked for, what is refused, and an appliance that runs as somebody else."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import plan, trees
from appliance.runtime import ownership, preflight
from appliance.settings import HOME, Settings
from tests.api.forms import publish, submit
from tests.running import Running
from tests.runtime.servers import operator_environ, temporary_data, until

SOMEBODY = "www-data"
"""A user of every Debian, who owns nothing."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start programs as somebody else")


def test_without_the_setting_nothing_is_asked(chosen: Settings) -> None:
    assert ownership.find_faults(chosen) == []
    assert not ownership.is_wanted(chosen)


def test_a_user_that_does_not_exist_is_refused_with_the_command_that_makes_him(chosen: Settings) -> None:
    (fault,) = preflight.find_faults(replace(chosen, user="nobody-known"))
    assert fault.startswith("APPLIANCE_USER=nobody-known: there is no such user; next: useradd --system nobo")


def test_who_is_that_user_already_changes_nothing(chosen: Settings) -> None:
    me = replace(chosen, user=pwd.getpwuid(os.geteuid()).pw_name)
    assert ownership.find_faults(me) == []
    assert not ownership.is_wanted(me)


@as_root
def test_who_cannot_reach_the_data_is_refused_before_anything_is_made(chosen: Settings) -> None:
    """The data folder of the tests lies in one that is closed to others."""
    faults = ownership.find_faults(replace(chosen, user=SOMEBODY))
    head = f"APPLIANCE_USER={SOMEBODY}: {SOMEBODY} cannot reach"
    assert [
        fault for fault in faults if fault.startswith(f"{head} {chosen.data.parent}; next: see `namei -l")
    ]
    assert not chosen.data.exists()


@as_root
def test_the_data_folder_changes_hands_and_links_lead_nobody_out(chosen: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("root's")
    inner = chosen.data / "files" / "deep"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    (inner / "link").symlink_to(outside)
    (inner / "hard").hardlink_to(outside)
    given = replace(chosen, user=SOMEBODY)
    uid = pwd.getpwnam(SOMEBODY).pw_uid
    assert ownership.hand_over(given) == 5  # three folders, the file, the link
    assert {path.lstat().st_uid for path in (chosen.data, inner, inner / "file", inner / "link")} == {uid}
    assert outside.stat().st_uid == 0
    assert ownership.hand_over(given) == 0


@as_root
@pytest.mark.parametrize("name", ["run/lock", "logs", "run"])
def test_root_follows_no_link_of_that_user(name: str, tmp_path: Path) -> None:
    """The data folder is his already, so he may have put anything there."""
    folder = tmp_path / "folder"
    (folder / "pids").mkdir(parents=True)
    (victim := folder / "lock").write_text("root's, and long enough")
    folder.chmod(0o755)
    with temporary_data() as data:
        data.parent.chmod(0o755)
        (data / "run").mkdir(parents=True)
        if name == "run":
            (data / "run").rmdir()
        (data / name).symlink_to(victim if name == "run/lock" else folder)
        data.chmod(0o700)
        appliance = Running(data, APPLIANCE_USER=SOMEBODY)
        ownership.hand_over(replace(appliance.settings, user=SOMEBODY))
        told = subprocess.run(
            [*passable(), sys.executable, "-m", "appliance", "up"],
            cwd=HOME, env=appliance.environ, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert told.returncode == 2, told.stdout + told.stderr
    assert "Traceback" not in told.stderr
    assert victim.read_text() == "root's, and long enough"
    assert folder.stat().st_mode & 0o777 == 0o755
    assert folder.stat().st_uid == victim.stat().st_uid == 0
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "pids"]


@as_root
def test_who_has_stepped_aside_may_not_what_root_may_until_asked(chosen: Settings, tmp_path: Path) -> None:
    (tmp_path / "roots").write_text("x")
    code = (
        "import os, signal, sys\nfrom dataclasses import replace\nfrom pathlib import Path\n"
        "from appliance import settings\nfrom appliance.runtime import ownership\n"
        f"asked = replace(settings.load(), user={SOMEBODY!r})\n"
        "def may(deed):\n"
        "    try:\n        deed()\n    except PermissionError:\n        return False\n    return True\n"
        "def look(): return [may(lambda: os.kill(int(sys.argv[1]), 0)),"
        " may(lambda: os.listdir('/proc/1/fd')), may(lambda: Path('/proc/self/fd/0').lstat())]\n"
        "print(look())\nownership.step_aside(asked)\nprint(look())\n"
        "with ownership.as_root(): print(look())\n"
        "print(look())\nownership.become(asked)\nprint(look(), os.getresuid())\n"
        "with ownership.as_root(): print(look())\n"
    )
    told = subprocess.run(
        [*passable(), sys.executable, "-c", code, str(os.getpid())],
        cwd=HOME, env=operator_environ(chosen.data), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stderr == ""
    uid = pwd.getpwnam(SOMEBODY).pw_uid
    root, user = [True] * 3, [False, False, True]
    expected = [root, user, root, user, f"{user} {(uid, uid, uid)}", user]
    assert told.stdout.splitlines() == list(map(str, expected))


THROUGH_ROOT = """
mount -t tmpfs none /mnt
for each; do
  [ "$each" != -- ] || break
  mkdir -p /mnt/"$each"; mount --bind /root/"$each" /mnt/"$each"
done
mount -t tmpfs -o mode=711 none /root
while [ "$1" != -- ]; do
  mkdir -p /root/"$1"; mount --bind /mnt/"$1" /root/"$1"; shift
done
shift
exec "$@"
"""


def passable() -> list[str]:
    """What runs a command so that others reach code and Python, also where these lie below /root."""
    needed = [HOME, Path(sys.executable).resolve(), (HOME / ".venv-mongo").resolve()]
    below = [path.relative_to("/root").parts[0] for path in needed if path.is_relative_to("/root")]
    return ["unshare", "--mount", "sh", "-ec", THROUGH_ROOT, "sh", *sorted(set(below)), "--"] if below else []


@pytest.fixture
def started() -> Iterator[Running]:
    with temporary_data() as data:
        data.parent.chmod(0o755)
        appliance = Running(data, APPLIANCE_USER=SOMEBODY)
        appliance.through = passable()
        appliance.start()
        made = plan.find(appliance.paths)
        try:
            yield appliance
        finally:
            assert appliance.stop() == 0, appliance.last_words()
            for top in map(Path, made.made if made else ()):
                assert not list(filter(Path.is_dir, top.iterdir()))
                top.rmdir()  # root's own, which that user cannot remove


@as_root
def test_everything_runs_as_that_user(started: Running) -> None:
    from tests.ops.test_budget_running import status

    report = status(started)
    rows = [row for row in report["programs"] if row["pid"]]
    assert {row["user"] for row in rows} == {SOMEBODY}
    supervisor = trees.members(int((started.paths.run / "supervisord.pid").read_text()))
    assert {trees.find_user(pid) for pid in supervisor} == {SOMEBODY}
    assert {row["given"]["cores"] == row["asked"]["cores"] for row in rows} == {True}
    if report["budget"]["enforced_by"] != "none":
        assert all(row["given"]["cpus"] for row in rows)
    with started.client(started.login()) as admin:
        form_id = publish(admin)
        assert submit(admin, form_id).status_code == 201
    # What root writes by a command, that user can read.
    from tests.ops.test_running import command

    def sees_the_same() -> bool:
        """The API looks as that user, and root sees no more."""
        with started.client(started.login()) as admin:
            found = admin.get("/api/v1/system/doctor").json()["findings"]
        return bool(found == json.loads(command(started, "doctor", "--json").stdout))

    until(sees_the_same)
    assert command(started, "secrets", "rotate", "jwt").returncode == 0
    assert {path.stat().st_uid for path in started.paths.secrets.iterdir()} == {pwd.getpwnam(SOMEBODY).pw_uid}
    with started.client(started.login()) as admin:
        assert admin.get(f"/api/v1/forms/{form_id}").status_code == 200
    assert HOME.stat().st_uid == 0
    # The folder is the user's now: the next start acts as him before it reads there, and is held as before.
    assert started.stop() == 0
    started.start()
    again = status(started)
    assert {row["user"] for row in again["programs"] if row["pid"]} == {SOMEBODY}
    assert again["budget"]["enforced_by"] == report["budget"]["enforced_by"]
    given = [{row["name"]: row["given"] for row in each["programs"]} for each in (report, again)]
    assert given[0] == given[1]
