"""A machine with an installation of today's code, as scripts/install leaves it; its systemd is a stand-in
that really starts and stops the appliance.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import httpx

from appliance.addresses import Paths
from appliance.settings import HOME
from tests.upgrade.trees import Case, Tree

DRIVE = """
import sys
from pathlib import Path
from appliance import cli
from appliance.ops import service
service.UNIT = Path({unit!r})
service.is_systemd_running = lambda: True
service.check_root = lambda _: None
sys.exit(cli.main(sys.argv[1:]))
"""
SYSTEMCTL = """#!{python}
import os, signal, subprocess, sys, time, urllib.request
folder, python = {folder!r}, {home!r} + "/.venv/bin/python"
def pid():
    try:
        found = int(open(folder + "/pid").read())
        return found if open(f"/proc/{{found}}/stat").read().rpartition(")")[2].split()[0] not in "ZX" else 0
    except (OSError, ValueError):
        return 0
def is_ready():
    try:
        return urllib.request.urlopen({url!r} + "/readyz", timeout=5).status == 200
    except OSError:
        return False
words = " ".join(sys.argv[1:])
if "is-active" in words:
    sys.exit(0 if pid() else 3)
if words.startswith("stop") and pid():
    os.kill(pid(), signal.SIGTERM)
    while pid():
        time.sleep(0.05)
if words.startswith("start") and not pid():
    subprocess.run([python, "-P", folder + "/drive.py", "upgrade", "--resume"], check=True)
    with open(folder + "/up.log", "ab") as log:
        up = subprocess.Popen([python, "-P", "-m", "appliance", "up"], stdin=subprocess.DEVNULL, stdout=log,
                              stderr=log, start_new_session=True)
    open(folder + "/pid", "w").write(str(up.pid))
    over = time.monotonic() + {patience}  # systemd is told then that the start is over
    while not is_ready() and time.monotonic() < over:
        if up.poll() is not None:
            sys.exit("Job for appliance.service failed")
        time.sleep(0.1)
"""


class Machine:
    """`folder/home` has the code, `folder/appliance.env` the settings."""

    def __init__(self, folder: Path, case: Case, patience: float = 90) -> None:
        self.folder, self.case, self.home = folder, case, folder / "home"
        self.paths, self.unit = Paths(case.data), folder / "appliance.service"
        Tree(self.home, None)
        (self.home / ".venv-mongo").unlink()
        self._make_venv(".venv", "runtime")
        self._make_venv(".venv-mongo", "mongo")
        server = (HOME / ".venv-mongo" / "bin" / "secantusd-py").resolve()
        (self.home / ".venv-mongo" / "bin" / "secantusd-py").symlink_to(server)
        config = folder / "appliance.env"
        own = {name: value for name, value in case.environ.items() if name not in ("PATH", "PYTHONPATH")}
        config.write_text("".join(f"{name}={value}\n" for name, value in own.items()))
        (self.home / ".env").symlink_to(config)
        self.url = f"http://127.0.0.1:{case.settings.http_port}"
        self._write("drive.py", DRIVE.format(unit=str(self.unit)))
        (folder / "bin").mkdir()
        text = SYSTEMCTL.format(
            python=sys.executable, folder=str(folder), home=str(self.home), url=self.url, patience=patience
        )
        self._write("bin/systemctl", text)
        # What scripts/install fills in.
        template = (HOME / "deploy" / "appliance.service").read_text()
        for name, value in (("home", self.home), ("data", case.data), ("config", config.resolve())):
            template = template.replace(f"@{name}@", str(value))
        self.unit.write_text(template)

    @property
    def environ(self) -> Mapping[str, str]:
        return {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    @property
    def version(self) -> str:
        text = (self.home / "appliance" / "__init__.py").read_text()
        return str(re.findall(r'__version__ = "(.*)"', text)[0])

    @property
    def is_active(self) -> bool:
        return self.systemctl("is-active").returncode == 0

    def systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / "bin" / "systemctl"), *words, "appliance"],
            env=self.environ, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """The command `appliance` of root."""
        return subprocess.Popen(
            [str(self.home / ".venv" / "bin" / "python"), "-P", str(self.folder / "drive.py"), *words],
            env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def command(self, *words: str) -> tuple[int, str]:
        child = self.begin(*words)
        told, _ = child.communicate(timeout=400)
        return child.returncode, told

    def is_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code == 200
        return False

    def responses(self) -> int:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            password = self.paths.admin_password.read_text().strip()
            login = client.post("/auth/login", json={"username": "admin", "password": password})
            client.headers["authorization"] = f"Bearer {login.json()['token']}"
            (form,) = client.get("/api/v1/forms").json()["forms"]
            found = client.get(f"/api/v1/forms/{form['form_id']}/responses", params={"limit": 200}).json()
            return len(found["responses"])

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def _make_venv(self, name: str, lock: str) -> None:
        """Another name of the tests' own."""
        venv, python = self.home / name, Path(sys.executable).resolve()
        packages = venv / "lib" / python.name / "site-packages"
        packages.mkdir(parents=True)
        (venv / "bin").mkdir()
        (venv / "bin" / "python").symlink_to(python)
        (venv / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
        (packages / "all.pth").write_text(f"{self.home}\n{sysconfig.get_path('purelib')}\n")
        pinned = (self.home / "deploy" / "requirements" / f"{lock}.txt").read_bytes()
        (venv / "ready").write_text(f"{self.home} {hashlib.sha256(pinned).hexdigest()}  -\n")


def newer(folder: Path, migration: str | None) -> Tree:
    tree = Tree(folder, migration)
    about = tree.home / "appliance" / "__init__.py"
    about.write_text(re.sub(r'__version__ = ".*"', '__version__ = "9.9.9"', about.read_text()))
    return tree
