from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import settings
from appliance.addresses import Paths
from appliance.runtime import folders
from appliance.settings import HOME
from tests.ops.command import appliance_command
from tests.runtime.servers import temporary_data


def of_this_checkout(code: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(HOME)}
    return subprocess.run(
        [sys.executable, "-P", "-c", code], env=environ, capture_output=True, text=True, check=True
    )


def test_launch_starts_without_the_weight_of_the_others() -> None:
    """Nine programs start through it at once; what it imports, each of them pays for."""
    code = (
        "import sys; from appliance.cli import main; main(['launch', 'nonsense']);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    told = of_this_checkout(code)
    heavy = {
        "litestar",
        "granian",
        "msgspec",
        "pymongo",
        "redis",
        "huey",
        "cryptography",
        "argon2",
        "jwt",
        "asyncio",
        "argcomplete",
    }
    assert not heavy & set(told.stdout.split())


def test_launch_needs_no_other_commands() -> None:
    code = (
        "import sys; from appliance.cli import main; main(['launch', 'nonsense']);"
        "print(*(name for name in sys.modules if name.endswith('_cli')))"
    )
    told = of_this_checkout(code)
    assert told.stdout.split() == []


def test_a_setting_that_cannot_be_used_is_one_line_and_exit_2(tmp_path: Path) -> None:
    ended = appliance_command("status", data=tmp_path / "data", APPLIANCE_HTTP_PORT="eighty")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "appliance: APPLIANCE_HTTP_PORT='eighty' from environment: a whole number is needed;"
        " next: correct it; docs/settings.md lists every setting\n"
    )


def test_config_shows_where_a_value_comes_from_and_no_secret(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("sesame-key, of more than thirty-two bytes\n")
    ended = appliance_command(
        "config", "show", "--json",
        data=tmp_path / "data",
        SECRET_KEY_FILE=str(secret),
        APPLIANCE_ADMIN_PASSWORD="sesame-admin",
        APPLIANCE_BIND="127.0.0.1,::1",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "sesame" not in ended.stdout
    rows = {row["name"]: row for row in json.loads(ended.stdout)}
    assert set(rows) == {row.name for row in settings.rows().values()}
    assert rows["SECRET_KEY"]["effective"] == "(set)"
    assert rows["SECRET_KEY"]["source"] == str(secret)
    assert rows["APPLIANCE_ADMIN_PASSWORD"]["asked"] == "(set)"
    bind = rows["APPLIANCE_BIND"]
    assert (bind["asked"], bind["default"], bind["effective"]) == (
        "127.0.0.1, ::1",
        "127.0.0.1",
        "127.0.0.1, ::1",
    )
    assert int(rows["APPLIANCE_CPUS"]["effective"]) >= 1
    assert rows["APPLIANCE_CPUS"]["asked"] is None


@pytest.mark.parametrize("command", [["status"], ["supervisorctl", "status"], ["logs"]])
def test_not_running_names_the_next_command(command: list[str], tmp_path: Path) -> None:
    ended = appliance_command(*command, data=tmp_path / "data")
    assert ended.returncode in (1, 2)
    assert "next: ./scripts/up" in ended.stdout + ended.stderr
    assert not (tmp_path / "data").exists()


def test_each_of_several_faults_has_the_same_head(tmp_path: Path) -> None:
    data = tmp_path / ("d" * 100)
    ended = appliance_command("up", data=data, APPLIANCE_HTTP_PORT="8099", APPLIANCE_HTTPS_PORT="8099")
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("appliance: ") for line in lines)
    assert not data.exists()


def test_help_shows_what_is_for_operators(tmp_path: Path) -> None:
    told = appliance_command("--help", data=tmp_path).stdout
    assert "doctor" in told
    assert "launch" not in told
    assert "2 refused" in told


@pytest.mark.parametrize(
    "word,hint", [("statsu", "did you mean status?"), ("lunch", "there are up, "), ("xyz", "there are up, ")]
)
def test_a_misspelt_command_is_guessed(tmp_path: Path, word: str, hint: str) -> None:
    ended = appliance_command(word, data=tmp_path)
    assert ended.returncode == 2
    assert f"there is no command {word!r}; {hint}" in ended.stderr
    assert "launch" not in ended.stderr


def test_logs_of_nobody_are_an_error_and_no_match_is_said(tmp_path: Path) -> None:
    logs = tmp_path / "data" / "logs"
    logs.mkdir(parents=True)
    (logs / "api-1.log").write_text('{"time": "2026-01-31T12:00:00Z", "message": "x"}\n')
    (logs / "supervisord.log").touch()
    ended = appliance_command("logs", "nosuch", data=logs.parent)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert (
        "there are no logs of 'nosuch'; there are those of alertmanager, api, api-1, guardian, mongo, nginx"
        in ended.stderr
    )
    ended = appliance_command("logs", "--request-id", "nosuch", data=logs.parent)
    assert (ended.stdout, ended.stderr) == ("", "no line matches\n")
    for name in ("api", "api-1", "scheduler", "supervisord"):
        assert appliance_command("logs", name, data=logs.parent).returncode == 0
    assert appliance_command("logs", "api", data=logs.parent).stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    "command", ["status", "doctor", "logs", "maintenance on", "supervisorctl status", "up"]
)
def test_the_folder_of_another_user_is_told_without_a_traceback(command: str) -> None:
    with temporary_data() as data:
        folders.create(Paths(data))
        data.parent.chmod(0o755)
        started = [sys.executable, "-P", "-m", "appliance", *command.split()]
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        reads = subprocess.run([*nobody, "test", "-r", HOME / "pyproject.toml"], check=False)
        if reads.returncode != 0:
            pytest.skip("no other user reaches this checkout: it lies below a closed folder, such as /root")
        as_nobody = [*nobody, *started]
        ended = appliance_command(data=data, command=as_nobody)
        assert ended.returncode == 2
        told = ended.stdout + ended.stderr
        assert "Traceback" not in told
        assert told.count(str(data)) >= 1
        assert "belongs to root" in told
        assert "run this as root (sudo), or set APPLIANCE_DATA to another folder" in told


def test_a_reader_that_leaves_is_no_fault(tmp_path: Path) -> None:
    logs = tmp_path / "data" / "logs"
    logs.mkdir(parents=True)
    (logs / "api-1.log").write_text('{"time": "2026-01-31T12:00:00Z", "message": "x"}\n' * 20_000)
    script = f"'{sys.executable}' -P -m appliance logs -n 0 | head -n 1"
    ended = appliance_command(data=tmp_path / "data", command=["bash", "-c", script])
    assert ended.stdout.count("\n") == 1
    assert ended.stderr == ""


def test_maintenance_is_a_file_that_nginx_looks_for(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert appliance_command("maintenance", "on", data=data).returncode == 2
    (data / "run").mkdir(parents=True)
    assert appliance_command("maintenance", "on", data=data).returncode == 0
    assert (data / "run" / "maintenance").exists()
    assert appliance_command("maintenance", "off", data=data).returncode == 0
    assert not (data / "run" / "maintenance").exists()
