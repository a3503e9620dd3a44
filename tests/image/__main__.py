"""Prove an image: `python -m tests.image IMAGE`, with an engine behind DOCKER_HOST (see scripts/image)."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.image.container import CPUS, MEMORY, STOP_SECONDS, Container, docker
from tests.runtime.servers import until

NUMBER = 4242
PASSWORD = "brought as a secret"
FORM = {
    "title": "Lunch",
    "definition": {"elements": [{"type": "text", "name": "name", "isRequired": True}]},
    "settings": {"public": True},
}
# Nothing to build, to fetch or to test with, and nothing of the machine where it was built.
NOT_IN_IT = "cc gcc make pip pip3 curl wget git .env .git tests var deploy scripts/setup scripts/up"


def main(image: str) -> int:
    volume = docker("volume", "create")
    containers: list[Container] = []
    try:
        prove(image, volume, containers)
    except AssertionError as fault:
        print(f"FAILED: {fault}", file=sys.stderr)
        for container in containers:
            print(f"== {container.name}\n{container.log()[-3000:]}", file=sys.stderr)
        return 1
    finally:
        for container in containers:
            docker("rm", "--force", "--volumes", container.name)
        docker("volume", "rm", volume)
    return 0


def prove(image: str, volume: str, containers: list[Container]) -> None:
    look_inside(image)
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "password"
        secret.write_text(PASSWORD)
        os.chown(secret, 10001, 10001)
        first = Container(image, volume, f"--volume={secret}:/run/secrets/appliance_admin_password:ro")
        containers.append(first)
        tell("healthy, read-only and without rights", f"{first.until_healthy():.1f} s after docker run")
        tell("idle, of which Docker counts", docker("stats", "--no-stream", "--format", USED, first.name))
        look_at(first)
        form_id, response_id = serve(first)
        break_it(first)
        stop(first)
    second = Container(image, volume)
    containers.append(second)
    tell("a new container on the same volume, healthy", f"{second.until_healthy():.1f} s after docker run")
    find(second, form_id, response_id)
    lose_the_supervisor(second)
    find(second, form_id, response_id)
    lose_all(second)
    find(second, form_id, response_id)
    docker("stop", second.name)
    be_anybody(image, containers)


USED = "{{.MemUsage}}, {{.PIDs}} threads, {{.CPUPerc}} of one CPU"


def tell(what: str, value: str = "") -> None:
    print(f"  {what}{': ' if value else ''}{value}", flush=True)


def look_inside(image: str) -> None:
    size = int(docker("image", "inspect", "--format", "{{.Size}}", image))
    tell("size", f"{size / 1e6:.0f} MB")
    look = f"for name in {NOT_IN_IT}; do if command -v $name || [ -e $name ]; then exit 1; fi; done; id -u"
    assert docker("run", "--rm", "--network", "none", image, "sh", "-c", look) == "10001"
    tell("an ordinary user's, without compilers, pip, tests and .env")


def look_at(container: Container) -> None:
    """What an operator does by `docker exec`."""
    begun = time.monotonic()
    told = container.call("appliance", "healthcheck")
    tell("appliance healthcheck", f"{told} ({time.monotonic() - begun:.2f} s with docker exec)")
    assert "RUNNING" in container.call("supervisorctl", "status", "nginx")
    assert {row["user"] for row in container.report()["programs"].values()} == {"appliance"}
    for faulty in ("touch /opt/appliance/x", "touch /etc/x"):
        container.call("sh", "-c", faulty, status=1)
    rights = container.call("grep", "-E", "^(CapEff|NoNewPrivs)", "/proc/1/status").split()
    assert rights == ["CapEff:", "0" * 16, "NoNewPrivs:", "1"], rights
    tell("supervisorctl status, appliance status; nothing can be written outside /data; no capability")

    container.call("supervisorctl", "stop", "worker-high")
    assert "worker-high STOPPED" in container.call("appliance", "healthcheck", status=1)
    container.call("supervisorctl", "start", "worker-high")
    orphan = container.call("sh", "-c", "sleep 0.2 > /dev/null & echo $!")
    until(lambda: not container.call("sh", "-c", f"ls -d /proc/{orphan} 2> /dev/null || true"), 10, "reaped")
    tell("a stopped program is told by healthcheck; PID 1 reaps what is left to it")


def serve(container: Container) -> tuple[str, str]:
    with sign_in(container) as admin:
        form_id = str(checked(admin.post("/api/v1/forms", json=FORM)).json()["form_id"])
        checked(admin.post(f"/api/v1/forms/{form_id}/publish"))
    with container.client() as anyone:
        sent = checked(anyone.post(f"/api/v1/forms/{form_id}/responses", json={"data": {"name": "Ada"}}))
        checked(anyone.get("/docs"))
    tell("signed in by a password of /run/secrets; published a form, took an answer over HTTPS")
    return form_id, str(sent.json()["response_id"])


def sign_in(container: Container) -> httpx.Client:
    with container.client() as anyone:
        asked = {"username": "admin", "password": PASSWORD}
        return container.client(checked(anyone.post("/auth/login", json=asked)).json()["token"])


def checked(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}"
    return answer


def find(container: Container, form_id: str, response_id: str) -> None:
    with sign_in(container) as admin:
        page = checked(admin.get(f"/api/v1/forms/{form_id}/responses")).json()
    assert [row["response_id"] for row in page["responses"]] == [response_id], page
    tell("the answer is there")


def break_it(container: Container) -> None:
    for program in ("api-1", "redis", "mongo", "nginx", "scheduler"):
        begun = time.monotonic()
        container.kill(program)
        tell(f"kill -9 of {program}: all is well again", f"after {time.monotonic() - begun:.1f} s")
    assert container.zombies() == ""


def stop(container: Container) -> None:
    begun = time.monotonic()
    docker("stop", container.name)
    took = time.monotonic() - begun
    assert container.ended() == 0 and took < STOP_SECONDS
    # Not the last line: what supervisord says of a client that is gone comes by another pipe.
    assert any(line.endswith("] stopped") for line in container.log().splitlines())
    tell("docker stop: exit status 0", f"after {took:.1f} s")


def lose_the_supervisor(container: Container) -> None:
    """The container must end, and not well, or no restart policy would start it again."""
    container.call("sh", "-c", "kill -9 $(cat /data/run/supervisord.pid)")
    assert container.ended() == 1
    begin_again(container)
    tell("kill -9 of supervisord: exit status 1, and healthy again after docker start")


def lose_all(container: Container) -> None:
    docker("kill", container.name)
    assert container.ended() == 137
    begin_again(container)
    tell("docker kill: healthy again after docker start")


def be_anybody(image: str, containers: list[Container]) -> None:
    """A number without an entry in /etc/passwd, and a folder of its own instead of a volume."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NUMBER, NUMBER)
        third = Container(image, folder, "--user", f"{NUMBER}:{NUMBER}")
        containers.append(third)
        third.until_healthy()
        docker("stop", third.name)
        assert third.ended() == 0
    tell("as another user, on a folder of his: healthy")


def begin_again(container: Container) -> None:
    container.started = time.monotonic()
    docker("start", container.name)
    container.until_healthy()


if __name__ == "__main__":
    print(f"with {CPUS} CPUs and {MEMORY} of memory:")
    sys.exit(main(*sys.argv[1:]))
