"""`appliance up`, `reload`, `status`, `healthcheck`, `doctor`, `supervisorctl`: what runs."""

from __future__ import annotations

import argparse

from appliance.ops import completers
from appliance.ops.command_line import Commands, add_command, add_json, add_json_of_lines
from appliance.ops.completers import complete_by


def add(commands: Commands) -> None:
    running = add_command(commands, "up", _up, "run in the foreground until Ctrl-C or SIGTERM")
    running.set_defaults(as_owner=False)
    reload = add_command(
        commands, "reload", _reload, "read settings, certificates and keys anew, without a failed request"
    )
    add_json_of_lines(reload)
    status = add_command(
        commands, "status", _status, "programs, doors, dependencies; exit 1 when it is not up"
    )
    add_json(status)
    add_json(
        add_command(commands, "healthcheck", _healthcheck, "the same in one line, for a container engine")
    )
    doctor = add_command(commands, "doctor", _doctor, "look for what is or will be wrong; changes nothing")
    add_json(doctor)
    control = add_command(commands, "supervisorctl", _supervisorctl, "supervisor's own control program")
    complete_by(control.add_argument("arguments", nargs=argparse.REMAINDER), completers.control)


def _up(_: argparse.Namespace) -> int:
    from appliance.runtime.up import up

    return up()


def _reload(_: argparse.Namespace) -> int:
    from appliance.ops import reload

    return reload.run()


def _status(chosen: argparse.Namespace) -> int:
    from appliance.ops import status

    return status.run(as_json=chosen.json)


def _healthcheck(chosen: argparse.Namespace) -> int:
    from appliance.ops import healthcheck

    return healthcheck.run(as_json=chosen.json)


def _doctor(chosen: argparse.Namespace) -> int:
    from appliance.ops import doctor

    return doctor.run(as_json=chosen.json)


def _supervisorctl(chosen: argparse.Namespace) -> int:
    from appliance.ops import supervisor

    supervisor.become_supervisorctl(chosen.arguments)
