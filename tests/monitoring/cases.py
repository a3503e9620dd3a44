"""When each alert fires and when it does not.

Just before and just after each `for`; a case of its own for each branch; values at both sides of each
threshold, nearer than a tenth, so that a number that is changed by that is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DAY = 86400


@dataclass(frozen=True, slots=True)
class Alert:
    labels: Mapping[str, str]
    """But for its name and severity."""
    summary: str


@dataclass(frozen=True, slots=True)
class Case:
    """`series` as promtool writes values: `1+2x3` is 1 3 5 7, `_` nothing. Looked at at each of the times."""

    alert: str
    series: Mapping[str, str]
    quiet: tuple[str, ...] = ()
    fires: tuple[str, ...] = ()
    told: tuple[Alert, ...] = field(default_factory=tuple)
    every: str = "1m"
    """From one sample, and one look at the rule, to the next."""
    is_long: bool = False
    """Takes a tenth of a second and more."""


def cpu(idle: str, iowait: str = "0x60") -> dict[str, str]:
    return {
        'node_cpu_seconds_total{cpu="0",mode="idle"}': idle,
        'node_cpu_seconds_total{cpu="0",mode="iowait"}': iowait,
        'node_cpu_seconds_total{cpu="0",mode="user"}': "0+30x60",
    }


def disk(free: str, kind: str = "ext4", where: str = "/") -> dict[str, str]:
    labels = f'fstype="{kind}",mountpoint="{where}"'
    length = free.rpartition("x")[2] if " " not in free else "1500"
    return {
        f"node_filesystem_avail_bytes{{{labels}}}": free,
        f"node_filesystem_size_bytes{{{labels}}}": f"1000x{length}",
    }


NO_DISKS = ("tmpfs", "overlay", "squashfs", "ramfs")
"""Whatever is said of them, nobody is told."""


def no_disks(free: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in NO_DISKS:
        found |= disk(free, kind, f"/{kind}")
    return found


def fills(mount: str = "/") -> tuple[Alert, ...]:
    about = {"fstype": "ext4", "mountpoint": mount}
    return (Alert(about, f"The disk at {mount} is full within 24 hours at this rate"),)


def restarts(program: str, counted: str) -> dict[str, str]:
    return {f'appliance_program_restarts_total{{name="{program}"}}': counted}


def tells(**without: str) -> dict[str, str]:
    """What the three programs tell; a value given by name replaces one, and an empty one leaves it out."""
    told = {
        "supervisord": ('node_supervisord_state{job="node-exporter"}', "20x20"),
        "redis": ('redis_up{job="redis-exporter"}', "1x20"),
        "queue": ('appliance_queue_up{job="appliance"}', "1x20"),
    }
    found = {series: without.get(name, values) for name, (series, values) in told.items()}
    return {series: values for series, values in found.items() if values}


def targets(value: str) -> dict[str, str]:
    return {f'up{{job="{job}"}}': value for job in ("node-exporter", "redis-exporter", "appliance")}


def silent(job: str) -> tuple[Alert, ...]:
    return (Alert({"job": job}, f"{job} answers, but does not tell what the rules look at"),)


def oldest(queue: str, seconds: int) -> dict[str, str]:
    return {f'appliance_queue_oldest_seconds{{queue="{queue}"}}': f"{seconds}x9"}


def stuck(queue: str, waited: str) -> tuple[Alert, ...]:
    return (Alert({"queue": queue}, f"The oldest task of the queue {queue} has waited for {waited}"),)


def certificate(left: float, lifetime: float) -> dict[str, str]:
    """In days."""
    return {
        "appliance_tls_certificate_expiry_timestamp_seconds": f"{left * DAY:.0f}x20",
        "appliance_tls_certificate_lifetime_seconds": f"{lifetime * DAY:.0f}x20",
    }


LAGS = (Alert({}, "The analytics were not brought up to date when ANALYTICS_CRON said"),)
DRILL = (Alert({}, "It is not known that the newest backup can be restored"),)
REDIS = (Alert({}, "Redis does not answer: responses are taken, their tasks wait"),)
DUE, AS_OF = "appliance_lake_due_timestamp_seconds", "appliance_lake_as_of_timestamp_seconds"

CASES = (
    # 7 % of the time idle or waiting for the disk, which both count; a rate needs two samples.
    Case("CpuBusy", cpu("0+2.1x20", "0+2.1x20"), ("5m",), ("6m",),
         (Alert({}, "The CPUs are 93% busy for 5 minutes"),)),
    Case("CpuBusy", cpu("0+4.2x20", "0+3.6x20"), ("20m",)),
    Case("CpuBusy", cpu("0+60x20 1200+0x20"), ("20m", "29m"), ("30m",),
         (Alert({}, "The CPUs are 100% busy for 5 minutes"),)),

    # At 180 minutes it was looked at for three hours, and 1400 minutes are left: less than a day.
    Case("DiskFillsUp", disk("434.5-0.275x240") | no_disks("434.5-0.275x240"), ("209m",), ("210m",), fills()),
    Case("DiskFillsUp", disk("334.6-0.1923x240"), ("240m",)),
    Case("DiskFillsUp", disk("512-0.4x240"), ("240m",)),
    # Flat, then falling: the longer it is looked back, the later it is seen.
    Case("DiskFillsUp", disk("390x80 390-2.5x42"), ("600m",), ("605m",), fills(), every="5m"),

    Case("DiskNearlyFull", disk("47x20") | no_disks("10x20"), ("4m",), ("5m",),
         (Alert({"fstype": "ext4", "mountpoint": "/"}, "The disk at / has 4.7% left"),)),
    Case("DiskNearlyFull", disk("53x20"), ("20m",)),

    Case("OutOfMemoryKill", {"node_vmstat_oom_kill": "3x5 4x30"}, ("5m", "16m"), ("6m", "15m"),
         (Alert({}, "The kernel ended a process for want of memory"),)),

    Case("Watchdog", {}, (), ("0m", "5m"),
         (Alert({}, "Always there: whoever no longer hears it knows that alerts do not arrive"),)),

    Case("ProgramFailed", {f'node_supervisord_state{{name="{name}"}}': f"{state}x9" for name, state in
                           {"a": 100, "b": 200, "c": 95, "d": 30, "e": 0}.items()}, ("1m",), ("2m",),
         tuple(Alert({"name": name}, f"{name} has ended and is not running again") for name in "ab")),

    # Started again at the minutes 1, 2, 3 and 9: four times as long as all of them are in the window.
    Case("ProgramRestarts", restarts("a", "0 1 2 3x5 4x20") | restarts("b", "0x20"),
         ("8m", "16m"), ("9m", "15m"),
         (Alert({"name": "a"}, "a ended by itself and was started again 4 times within 15 minutes"),)),
    # Three, and no sample at the window's begin; by hand; the appliance itself, which counts from zero then.
    Case("ProgramRestarts", restarts("a", "7x5 8 9 10x40"), ("16m",), every="40s"),
    Case("ProgramRestarts", restarts("a", "0x20") |
         {'node_supervisord_start_time_seconds{name="a"}': "1+60x20"}, ("9m", "15m")),
    Case("ProgramRestarts", restarts("a", "7x5 0x20"), ("6m", "15m")),

    Case("TargetDown", {'up{job="a"}': "0x9", 'up{job="b"}': "1x9"}, ("1m",), ("2m",),
         (Alert({"job": "a"}, "a does not tell its metrics"),)),

    Case("MetricsAbsent", targets("1x20") | tells(supervisord=""), ("4m",), ("5m",), silent("node-exporter")),
    Case("MetricsAbsent", targets("1x20") | tells(redis=""), ("4m",), ("5m",), silent("redis-exporter")),
    Case("MetricsAbsent", targets("1x20") | tells(queue=""), ("4m",), ("5m",), silent("appliance")),
    Case("MetricsAbsent", targets("0x20") | tells(supervisord="", redis="", queue=""), ("20m",)),
    Case("MetricsAbsent", targets("1x20") | tells(), ("20m",)),

    Case("RedisDown", tells(redis="0x9"), ("0m",), ("1m",), REDIS),
    Case("RedisDown", tells(queue="0x9"), ("0m",), ("1m",), REDIS),
    Case("RedisDown", tells(redis="0x9", queue="0x9"), ("30s",), ("1m",), REDIS, every="30s"),
    Case("RedisDown", tells(), ("9m",)),

    Case("RedisMemory", {"redis_memory_used_bytes": "0.83x9", "redis_memory_max_bytes": "1x9"},
         ("4m",), ("5m",), (Alert({}, "Redis uses 83% of the memory that it may have"),)),
    Case("RedisMemory", {"redis_memory_used_bytes": "77x9", "redis_memory_max_bytes": "100x9"}, ("9m",)),
    Case("RedisMemory", {"redis_memory_used_bytes": "77x9", "redis_memory_max_bytes": "0x9"}, ("9m",)),

    Case("TasksFailed", {'appliance_tasks_total{queue="high",transition="failed"}': "7x5 8x30",
                         'appliance_tasks_total{queue="high",transition="completed"}': "0+9x30"},
         ("5m", "21m"), ("6m", "20m"),
         (Alert({"queue": "high"}, "Tasks of the queue high failed for good: dead letters"),)),

    Case("QueueStuck", oldest("high", 320), ("1m",), ("2m",), stuck("high", "5m 20s")),
    Case("QueueStuck", oldest("default", 320) | {'appliance_queue_paused{queue="default"}': "0x9"},
         ("1m",), ("2m",), stuck("default", "5m 20s")),
    Case("QueueStuck", oldest("batched", 3800), ("1m",), ("2m",), stuck("batched", "1h 3m 20s")),
    Case("QueueStuck", oldest("high", 285) | oldest("batched", 3400), ("9m",)),
    Case("QueueStuck", oldest("high", 9000) | {'appliance_queue_paused{queue="high"}': "1x9"}, ("9m",)),

    Case("EndingsUnsettled", {"appliance_tasks_unsettled": "1x20"}, ("9m",), ("10m",),
         (Alert({}, "The database was not told how 1 tasks ended"),)),
    Case("EndingsUnsettled", {"appliance_tasks_unsettled": "0x20"}, ("20m",)),

    Case("LakeLags", {DUE: "97500x130", AS_OF: "90000x130"}, ("119m",), ("120m",), LAGS),
    Case("LakeLags", {DUE: "97500x130"}, ("119m",), ("120m",), LAGS),
    Case("LakeLags", {DUE: "96900x130", AS_OF: "90000x130"}, ("130m",)),
    # A weekly cron, in the middle of its week: nothing was due since.
    Case("LakeLags", {DUE: "90000x130", AS_OF: "90001x130"}, ("130m",)),

    Case("LakeDrifts", {"appliance_lake_drift_responses": "1x60"}, ("1530m",), ("1560m",),
         (Alert({}, "1 responses are not in the lake as the database has them"),), every="30m"),
    Case("LakeDrifts", {"appliance_lake_drift_responses": "0x60"}, ("1590m",), every="30m"),

    Case("BackupMissing", {"appliance_backup_missing": "1x20"}, ("9m",), ("10m",),
         (Alert({}, "Two times of BACKUP_CRON have passed, and no backup was made"),)),
    Case("BackupMissing", {"appliance_backup_missing": "0x20"}, ("20m",)),

    Case("BackupFailed", {"appliance_backup_failures": "0 1x9"}, ("0m",), ("1m",),
         (Alert({}, "1 backups failed since the last one that was made"),)),

    Case("DrillFailed", {"appliance_backup_drill_failures": "1x20", "appliance_backup_drill_missing": "0x20"},
         ("9m",), ("10m",), DRILL),
    Case("DrillFailed", {"appliance_backup_drill_failures": "0x20", "appliance_backup_drill_missing": "1x20"},
         ("9m",), ("10m",), DRILL),
    Case("DrillFailed", {"appliance_backup_drill_failures": "0x20", "appliance_backup_drill_missing": "0x20"},
         ("20m",)),

    Case("CertificateExpires", certificate(13.5, 90), ("9m",), ("10m",),
         (Alert({}, "The certificate expires within 13d 11h 50m 0s"),)),
    Case("CertificateExpires", certificate(14.5, 400), ("20m",)),
    Case("CertificateExpires", certificate(6, 28), ("9m",), ("10m",),
         (Alert({}, "The certificate expires within 5d 23h 50m 0s"),)),
    Case("CertificateExpires", certificate(7.5, 28), ("20m",)),

    Case("CertificateEnds", certificate(2.8, 90), ("9m",), ("10m",),
         (Alert({}, "The certificate expires within 2d 19h 2m 0s: clients will refuse it"),)),
    Case("CertificateEnds", certificate(3.2, 90), ("20m",)),
    Case("CertificateEnds", certificate(1.9, 16), ("9m",), ("10m",),
         (Alert({}, "The certificate expires within 1d 21h 26m 0s: clients will refuse it"),)),
    Case("CertificateEnds", certificate(2.1, 16), ("20m",)),

    Case("CertificateRenewalFailing", {"appliance_tls_certificate_renewal_failing": "1x70"},
         ("59m",), ("60m",),
         (Alert({}, "A newer certificate is not taken up, or the ACME service gives none"),)),
    Case("CertificateRenewalFailing", {"appliance_tls_certificate_renewal_failing": "0x70"}, ("70m",)),

    Case("SecretOld", {f'appliance_secret_age_seconds{{name="{name}"}}': f"{days * DAY}x20" for name, days in
                       {"jwt": 93, "redis": 87, "admin": 93, "APPLIANCE_ADMIN_PASSWORD": 93}.items()},
         ("9m",), ("10m",), (Alert({"name": "jwt"}, "The secret jwt is 93d 0h 0m 0s old"),)),
)  # fmt: skip
