"""`appliance size RESPONSES`: how big a machine. Advice from what was measured, told with what was assumed.

The figures are those of docs/systemd.md, 'How big a machine', and of docs/measures.md, 'Submissions'.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from appliance.errors import SettingError
from appliance.ops.table import size

PEAK = 0.1 / 3600 * 5
"""Of a day's responses in its busiest second: a tenth in one hour, in bursts of five times its mean."""
PER_CPU = 360.0
"""Responses a second and CPU: 728/s on 2 CPUs, database and the clients that sent them included."""
BUSY = 0.5
"""How much of the CPUs the busiest second may take: reading, exports and tasks want some too."""
MOST = 700.0
"""Responses a second that the embedded database was seen to take; more were not tried."""
FIXED_BYTES, BYTES_PER_BYTE = 5_300.0, 6.6
"""On disk by response, and by byte of its answers: document, index of answers, journal."""
LEAST_MEMORY, API_MEMORY = 2 * 2**30, 160 * 2**20
"""1.4 GiB were resident with two APIs after 20,000 responses; each more API takes its own."""
RESERVE_DISK = 4 * 2**30
"""Code, logs (40 MiB a program), journals and room that must stay free."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Bytes, CPUs, and responses a second."""

    responses_a_day: int
    busiest_second: float
    cpus: int
    memory: int
    disk_a_year: int
    bytes_a_response: int
    embedded_database: bool
    """Whether it was seen to do as much."""


def advise(responses: int, kilobytes: float) -> Advice:
    """For so many responses a day of so many KB of JSON. Raises SettingError for what cannot be."""
    if responses < 1 or not 0.01 <= kilobytes <= 1024:
        raise SettingError("a day has 1 response or more, and a response has 0.01 to 1024 KB")
    peak = responses * PEAK
    cpus = max(2, math.ceil(peak / (PER_CPU * BUSY)))
    bytes_each = FIXED_BYTES + BYTES_PER_BYTE * kilobytes * 1000
    return Advice(
        responses_a_day=responses,
        busiest_second=round(peak, 2),
        cpus=cpus,
        memory=LEAST_MEMORY + API_MEMORY * (min(4, cpus) - 2),
        disk_a_year=round(RESERVE_DISK + responses * 365 * bytes_each),
        bytes_a_response=round(bytes_each),
        embedded_database=peak <= MOST,
    )


def run(responses: int, *, kilobytes: float, as_json: bool) -> int:
    """Raises SettingError."""
    advice = advise(responses, kilobytes)
    if as_json:
        print(json.dumps(asdict(advice), indent=2))
        return 0
    _print(advice, kilobytes)
    return 0


def _print(advice: Advice, kilobytes: float) -> None:
    print(f"{advice.responses_a_day:,} responses a day of {kilobytes:g} KB each")
    second = f"{advice.busiest_second:g} responses"
    print(f"busiest second  {second}; assumed: a tenth of the day in one hour, in bursts")
    print(f"CPUs            {advice.cpus}; at {PER_CPU:.0f} responses a second each, half of it left free")
    print(f"memory          {size(advice.memory)}; 4 GiB more for a language model")
    disk = size(advice.disk_a_year)
    print(f"disk            {disk} after a year, {advice.bytes_a_response:,} bytes a response")
    print(f"                {size(RESERVE_DISK)} of it for code, logs, journals and free room;")
    print("                uploaded files, exports and backups come on top")
    if not advice.embedded_database:
        print(f"The embedded database was not tried with more than {MOST:.0f}/s; next: set MONGODB_URI")
    print("Measured on one machine (docs/systemd.md); yours differs: look at `appliance status` under load.")
