"""`appliance erase`, and that a backup from before does not bring back what was erased."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from appliance.settings import HOME
from tests import traces
from tests.api.forms import publish, submit
from tests.api.tasks import paused
from tests.api.test_subjects import ask, counts, erase
from tests.api.uploads import new_token
from tests.ops.command import appliance_command
from tests.people import People
from tests.running import Running, running, unique
from tests.runtime.servers import temporary_data, until


def command(appliance: Running, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **appliance.environ}
    return subprocess.run(
        [sys.executable, "-P", "-m", "appliance", "erase", *arguments],
        env=environ, input=text, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_was_erased_stays_so_after_a_restore(tmp_path: Path) -> None:
    with running() as appliance, appliance.client(appliance.login()) as admin:
        word = unique("someone")
        form_id = publish(admin, max_responses=3)
        gone = submit(admin, form_id, name=word, words=f"it was {word}").json()["response_id"]
        kept = submit(admin, form_id, name="another").json()["response_id"]
        made = appliance_command("backup", "create", "--json", data=appliance.paths.data, **appliance.environ)
        backup = json.loads(made.stdout)["path"]

        assert command(appliance, "find").returncode == 2, "nobody is asked for"
        assert command(appliance, "find", "--answer", text="\n").returncode == 2
        assert command(appliance, "find", "--answer", text="ab\n").returncode == 2
        nobody = command(appliance, "find", "--answer", text=f"{word} of all\n")
        assert nobody.returncode == 0 and "nothing fits" in nobody.stdout
        found = told(command(appliance, "find", "--answer", "--json", text=f"{word.upper()}\n"))
        assert counts(found) == {form_id: (1, 0)} and found["asked_by"] is None
        erasure_id = found["erasure_id"]
        [line] = command(appliance, "export", erasure_id).stdout.splitlines()
        assert json.loads(line)["response"]["data"]["words"] == f"it was {word}"
        refused = command(appliance, "run", erasure_id)
        assert refused.returncode == 2 and "--yes" in refused.stderr
        assert told(command(appliance, "run", erasure_id, "--yes", "--json"))["state"] == "erased"
        assert command(appliance, "run", erasure_id, "--yes").returncode == 2, "it is erased"
        assert erasure_id in command(appliance, "list").stdout
        assert admin.get(f"/api/v1/forms/{form_id}/responses/{gone}").status_code == 404
        assert [path.stem for path in appliance.paths.erasures.iterdir()] == [erasure_id]
        assert traces.of(appliance, word) == set()

        key = tmp_path / "key"
        key.write_text(
            appliance_command("backup", "key", data=appliance.paths.data, **appliance.environ).stdout
        )
        records = tmp_path / "records"
        shutil.copytree(appliance.paths.erasures, records)
        outside = tmp_path / Path(backup).name
        shutil.copyfile(backup, outside)
        assert appliance.stop() == 0
        restored = appliance_command(
            "backup", "restore", str(outside), "--replace", data=appliance.paths.data, **appliance.environ
        )
        assert restored.returncode == 0, restored.stderr
        assert "erased since, and now again: 1\n" in restored.stdout
        appliance.start()
        _is_without(appliance, form_id, gone, kept, erasure_id, word)

        with temporary_data() as data:  # as on another machine
            data.parent.mkdir(parents=True, exist_ok=True)
            second = Running(data)
            elsewhere = ("backup", "restore", str(outside), "--key", str(key), "--erased")
            absent = appliance_command(*elsewhere, str(tmp_path / "absent"), data=data, **second.environ)
            assert absent.returncode == 2 and "erasures/" in absent.stderr
            (records / "broken.json").write_text("{")
            broken = appliance_command(*elsewhere, str(records), data=data, **second.environ)
            assert broken.returncode == 2 and "broken.json is no record" in broken.stderr
            (records / "broken.json").unlink()
            done = appliance_command(*elsewhere, str(records), data=data, **second.environ)
            assert done.returncode == 0, done.stderr
            second.start()
            try:
                _is_without(second, form_id, gone, kept, erasure_id, word, password=appliance.admin_password)
            finally:
                second.stop()


def test_a_backup_brings_neither_an_account_nor_what_was_half_filled_back(tmp_path: Path) -> None:
    """Nor does the next start: its first admin is made once."""
    with running() as appliance:
        first, word = appliance.admin_password, unique("someone")
        tokens = {"left": new_token(), "sent": new_token()}
        with appliance.client(appliance.login()) as admin:
            form_id = publish(admin, public=True)
            path = f"/api/v1/forms/{form_id}"
            for token in tokens.values():
                half = admin.put(f"{path}/partial/{token}", json={"data": {"name": word}})
                assert half.status_code == 201, half.text
            made = appliance_command(
                "backup", "create", "--json", data=appliance.paths.data, **appliance.environ
            )
            outside = tmp_path / "backup.age"
            shutil.copyfile(json.loads(made.stdout)["path"], outside)
            body = {"data": {"name": word}, "partial": tokens["sent"]}
            assert admin.post(f"{path}/responses", json=body).status_code == 201
            me = admin.get("/auth/me").json()["user_id"]
            _add_admin(appliance, "second")
        with appliance.client(appliance.login("second", PASSWORD)) as second:
            found = ask(second, {"answer": word})
            assert counts(found) == {form_id: (1, 1)}
            erase(second, found)
            erase(second, ask(second, {"user_id": me}, account=True))
        assert not appliance.paths.admin_password.exists()
        assert appliance.stop() == 0
        appliance.start()
        assert "admin password" not in appliance.log.read_text().splitlines()[-1]
        assert not _can_sign_in(appliance, "admin", first) and not appliance.paths.admin_password.exists()
        assert appliance.login("second", PASSWORD)

        assert appliance.stop() == 0
        restored = appliance_command(
            "backup", "restore", str(outside), "--replace", data=appliance.paths.data, **appliance.environ
        )
        assert restored.returncode == 0, restored.stderr
        assert "appliance user add NAME --role admin" in restored.stdout
        appliance.start()
        assert not _can_sign_in(appliance, "admin", first) and not _can_sign_in(appliance, "second", PASSWORD)
        assert traces.of(appliance, word) == set()
        with appliance.client() as nobody:
            for token in tokens.values():
                assert nobody.get(f"{path}/partial/{token}").status_code == 404
        _add_admin(appliance, "third")
        with appliance.client(appliance.login("third", PASSWORD)) as third:
            erased = third.get(f"/api/v1/users/{me}").json()
            assert (erased["username"], erased["status"]) == (f"erased-{me}", "disabled")
            assert third.get(f"{path}/responses").json()["responses"] == []


PASSWORD = "a long enough password"


def _add_admin(appliance: Running, name: str) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **appliance.environ}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "appliance", "user", "add", name, "--role", "admin"],
        env=environ, input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _can_sign_in(appliance: Running, name: str, password: str) -> bool:
    with appliance.client() as client:
        answer = client.post("/auth/login", json={"username": name, "password": password})
    return answer.status_code == 200


def test_whoever_waits_is_told_that_it_failed(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    word = unique("someone")
    submit(cast.alice, form_id, name=word)
    erasure = ask(cast.admin, {"answer": word})
    one = f"/api/v1/subjects/{erasure['erasure_id']}"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **appliance.environ}
    with paused(cast.admin, "default"):
        waiting = subprocess.Popen(
            [sys.executable, "-P", "-m", "appliance", "erase", "run", erasure["erasure_id"], "--yes"],
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        until(lambda: cast.admin.get(one).json()["state"] == "erasing", 30, "it is confirmed")
        task = cast.admin.post(f"{one}/confirm").json()["task_id"]
        cancelled = f"/api/v1/tasks/{task}"  # 503 until it is in its queue
        until(lambda: cast.admin.delete(cancelled).status_code == 204, 20, "it is cancelled")
        out, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 1 and "its task was cancelled" in out
    assert f"appliance erase run {erasure['erasure_id']}" in errors
    assert told(command(appliance, "run", erasure["erasure_id"], "--yes", "--json"))["state"] == "erased"


def _is_without(
    appliance: Running,
    form_id: str,
    gone: str,
    kept: str,
    erasure_id: str,
    word: str,
    password: str | None = None,
) -> None:
    with appliance.client(appliance.login(password=password)) as admin:
        assert admin.get(f"/api/v1/forms/{form_id}/responses/{gone}").status_code == 404
        assert admin.get(f"/api/v1/forms/{form_id}/responses/{kept}").status_code == 200
        assert admin.get(f"/api/v1/forms/{form_id}").json()["response_count"] == 1
        record = admin.get(f"/api/v1/subjects/{erasure_id}").json()
        assert record["state"] == "erased" and counts(record) == {form_id: (1, 0)}
        assert traces.of(appliance, word) == set()
        assert [submit(admin, form_id).status_code for _ in range(3)] == [201, 201, 410]
        assert (appliance.paths.erasures / f"{erasure_id}.json").is_file()
        audited = appliance_command("audit", "verify", data=appliance.paths.data, **appliance.environ)
        assert audited.returncode == 0, audited.stdout
