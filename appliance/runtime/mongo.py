"""The embedded MongoDB: which server, on which port, and its first user.

SecantusDB has no localhost exception: with --auth and no user, nobody can make one. So the very first start
runs it without --auth on a random loopback port just long enough to create the users, then marks that done
and starts it for good. Each step may be repeated: killed anywhere in between, the next start goes on. The
mark names the passwords, so a start with other ones (a rotation that was cut short, a folder of an older
release) makes the users anew.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import processes
from appliance.addresses import DATABASE, DATABASE_OWNER, DATABASE_USER, Paths, read_line, user_of
from appliance.disk import write_atomically, write_durably
from appliance.errors import CannotStart
from appliance.runtime import programs
from appliance.secret_files import Pair
from appliance.settings import HOME, Settings

if TYPE_CHECKING:
    from pymongo import MongoClient

# Below the ephemeral range (32768 and up), where an outgoing connection could be using the number.
PORTS = range(27100, 28100)
CACHE_PART = 0.4
"""Of the database's share of memory, for WiredTiger's cache; connections and the page cache have the rest."""
BOOTSTRAP_SECONDS = 300.0
"""Of a first start. On a very slow machine it took more than one minute; what is ended then begins anew."""
STOP_SECONDS = 60.0
"""For the clean stop in the middle of a first start; it takes 1 to 3."""


def ensure_port(paths: Paths, *, besides: int | None = None) -> int:
    """The data folder's port: chosen once, chosen again when a stranger has taken it meanwhile.

    `besides` is somebody else's, although nothing may listen there now.
    """
    found = find_port(paths)
    if found is not None and _is_free(found):
        return found
    start = secrets.randbelow(len(PORTS))
    for offset in range(len(PORTS)):
        port = PORTS[(start + offset) % len(PORTS)]
        if port != besides and _is_free(port):
            write_atomically(paths.mongo_port, f"{port}\n")
            return port
    raise CannotStart(
        f"no free port for the database on 127.0.0.1 from {PORTS[0]} to {PORTS[-1]}; see `ss -ltn`"
    )


def find_port(paths: Paths) -> int | None:
    """That was chosen."""
    try:
        text = paths.mongo_port.read_text().strip()
    except FileNotFoundError:
        return None
    return int(text) if text.isdigit() else None


def server(settings: Settings) -> tuple[str, Path]:
    """Kind and program of the embedded server. Raises CannotStart when it is not installed."""
    mongod = shutil.which("mongod")
    if settings.mongo_kind != "secantusdb" and mongod:
        return "mongod", Path(mongod)
    if settings.mongo_kind == "mongod":
        raise CannotStart("APPLIANCE_MONGO=mongod, but there is no mongod on PATH; install it or use auto")
    ours = HOME / ".venv-mongo" / "bin" / "secantusd-py"
    secantusd = str(ours) if os.access(ours, os.X_OK) else shutil.which("secantusd-py")
    if not secantusd:
        raise CannotStart(f"there is no {ours}; run ./scripts/up, which installs it")
    return "secantusdb", Path(secantusd)


def prepare(paths: Paths, settings: Settings, *, cache: int | None = None) -> list[str]:
    """The command line that serves the data folder, its user created. Raises CannotStart.

    `cache`: bytes; by default what the budget gives to the database.
    """
    kind, program = server(settings)
    _check_kind(paths, kind)
    (paths.mongo / "data").mkdir(mode=0o700, exist_ok=True)
    port, cache = int(read_line(paths.mongo_port)), cache or _cache(settings)
    if kind == "mongod":
        return _prepare_mongod(paths, program, port, cache)
    if not _is_done(paths):
        any_port = _free_port()
        _bootstrap(paths, _secantusd(paths, program, any_port, cache), any_port)
    return [*_secantusd(paths, program, port, cache), "--auth"]


def _check_kind(paths: Paths, kind: str) -> None:
    recorded = paths.mongo / "kind"
    if not recorded.exists():
        write_durably(recorded, kind + "\n")
    made_by = read_line(recorded)
    if made_by != kind:
        raise CannotStart(
            f"{paths.mongo} was made by {made_by}, which {kind} cannot read; set APPLIANCE_MONGO={made_by}"
        )


def made_by(paths: Paths) -> str | None:
    """The kind of server whose files are there; None before the first start."""
    try:
        return (paths.mongo / "kind").read_text().strip() or None
    except OSError:
        return None


def _cache(settings: Settings) -> int:
    """Bytes."""
    return int((programs.budget_of(settings).share("mongo").memory or 0) * CACHE_PART)


def _secantusd(paths: Paths, program: Path, port: int, cache: int) -> list[str]:
    config = paths.run / "secantusd.toml"
    write_atomically(config, "")  # an own empty file, or it would look for one in strange places
    return [
        str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port),
        "--storage-path", str(paths.mongo / "data"), "--cache-size", f"{cache // 2**20}M",
        "--log-level", "WARNING",
    ]  # fmt: skip


def _done(paths: Paths) -> Path:
    return paths.mongo / "user-created"


def _is_done(paths: Paths) -> bool:
    """Whether the database has the users that the files of secrets/ ask for."""
    try:
        return _done(paths).read_text().strip() == _mark(users(paths))
    except OSError:
        return False


def mark_done(paths: Paths, made: dict[str, str]) -> None:
    """Call when the database has exactly these users, durably."""
    write_durably(_done(paths), _mark(made) + "\n")


def _mark(wanted: dict[str, str]) -> str:
    """Of passwords that nobody can guess."""
    return sha256("\0".join(f"{name}\0{wanted[name]}" for name in sorted(wanted)).encode()).hexdigest()


def users(paths: Paths) -> dict[str, str]:
    """Names and passwords: one that works with the data, one that makes users; while a password is being
    replaced, two. Raises CannotStart.
    """
    return {
        user_of(kind, password): password
        for kind, path in ((DATABASE_USER, paths.mongo_password), (DATABASE_OWNER, paths.mongo_owner))
        for password in Pair(path).accepted()
    }


def reconcile(client: MongoClient[dict[str, Any]], wanted: dict[str, str]) -> None:
    """Have exactly these users. May be repeated; a name's password never changes."""
    there = {user["user"] for user in client.admin.command("usersInfo", 1)["users"]}
    for name in wanted.keys() - there:
        client.admin.command("createUser", name, pwd=wanted[name], roles=_roles(name))
    for name in there - wanted.keys():
        client.admin.command("dropUser", name)


def _roles(name: str) -> list[dict[str, str]]:
    if name.partition("-")[0] == DATABASE_OWNER:
        return [{"role": "userAdminAnyDatabase", "db": "admin"}]
    return [{"role": "readWrite", "db": DATABASE}, {"role": "clusterMonitor", "db": "admin"}]


def _bootstrap(paths: Paths, command: list[str], port: int, *, replica_set: str | None = None) -> None:
    """Serve without authentication on loopback just long enough to create the user; durable at the end."""
    parent, wanted = os.getpid(), users(paths)
    child = subprocess.Popen(
        command,
        # KILL: a server without --auth must not outlive us for a moment.
        preexec_fn=lambda: processes.die_with_parent(signal.SIGKILL, parent),
    )
    try:
        await_port(port, child)
        _create_user(port, wanted, replica_set)
        child.terminate()
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        # What a killed server wrote is not trusted: supervisord starts us again, and the user is made anew.
        raise CannotStart(
            f"the database did not stop within {STOP_SECONDS:.0f} s of its first start"
        ) from None
    except BaseException:
        child.kill()
        child.wait()
        raise
    mark_done(paths, wanted)


def _create_user(port: int, wanted: dict[str, str], replica_set: str | None) -> None:
    from pymongo import MongoClient  # late: only the very first start needs it

    client: MongoClient[dict[str, Any]] = MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=10_000
    )
    with client:
        if replica_set:
            _initiate(client, replica_set, port)
        # Nobody else has had a right to be here: a new database has no users but ours.
        for user in client.admin.command("usersInfo", 1)["users"]:
            client.admin.command("dropUser", user["user"])
        reconcile(client, wanted)


def await_port(port: int, child: subprocess.Popen[bytes]) -> None:
    """Raises CannotStart when it ends first, or takes too long."""
    deadline = time.monotonic() + BOOTSTRAP_SECONDS
    # Asked of the child itself: whoever else may answer on that port must not be given our user.
    while not processes.listens(child.pid, port):
        if child.poll() is not None:
            raise CannotStart(f"the database ended at its first start with status {child.returncode}")
        if time.monotonic() > deadline:
            raise CannotStart(f"the database did not open its port within {BOOTSTRAP_SECONDS:.0f} s")
        time.sleep(0.02)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


# mongod: untested where this was made, because none could be run there.


def _prepare_mongod(paths: Paths, program: Path, port: int, cache: int) -> list[str]:
    key = paths.mongo_keyfile
    if not key.exists():
        write_durably(key, secrets.token_urlsafe(512), mode=0o400)
    command = [
        str(program), "--bind_ip", "127.0.0.1", "--port", str(port), "--dbpath", str(paths.mongo / "data"),
        "--replSet", "rs0", "--wiredTigerCacheSizeGB", f"{max(0.25, cache / 2**30):.2f}",
    ]  # fmt: skip
    if not _is_done(paths):
        # On the port it will keep: the replica set remembers its members' addresses.
        _bootstrap(paths, command, port, replica_set="rs0")
    return [*command, "--auth", "--keyFile", str(key)]


def _initiate(client: MongoClient[dict[str, Any]], replica_set: str, port: int) -> None:
    from pymongo.errors import OperationFailure

    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    try:
        client.admin.command("replSetInitiate", {"_id": replica_set, "members": [member]})
    except OperationFailure as fault:
        if fault.code != 23:  # AlreadyInitialized: an earlier bootstrap was cut short after this step
            raise
    deadline = time.monotonic() + BOOTSTRAP_SECONDS
    while not client.admin.command("hello").get("isWritablePrimary"):
        if time.monotonic() > deadline:
            raise CannotStart(f"the database elected no primary within {BOOTSTRAP_SECONDS:.0f} s")
        time.sleep(0.1)
