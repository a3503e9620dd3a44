"""In place of `appliance.ops.asked`: takes its time, and tells when it ran."""

from __future__ import annotations

import json
import sys
import time

if __name__ == "__main__":
    begun = time.monotonic()
    time.sleep(json.loads(sys.argv[2])["seconds"])
    print(json.dumps({"answer": [begun, time.monotonic()]}))
