"""The child that gets one certificate from the ACME service of the settings and keeps it in tls/acme.pem.

It ends with 0 then; else it says why not on stdout. Whenever it dies, what is there is whole: the next one
goes on with the account, and with an order whose certificate was made but not fetched.
"""

from __future__ import annotations

import sys

from appliance import settings
from appliance.security import acme
from appliance.services import children

MEMORY = 1024 * 1024 * 1024
CPU_SECONDS = 60


def main(parent: int) -> int:
    children.hold_down(parent, MEMORY, CPU_SECONDS)
    try:
        acme.obtain(settings.load())
    except acme.NoCertificate as fault:
        print(fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
