"""The lake's tables beside `responses`: what each holds, and where it lies.

Each is a Parquet file of its own, sorted by form (`activity`: by user), and written anew as a whole by each
run that finds it changed. A table that is not there yet is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

FORMS: Final = pa.schema(
    [
        ("form_id", pa.string()),
        ("title", pa.string()),
        ("state", pa.string()),
        ("owner", pa.string()),
        ("time_zone", pa.string()),
        ("created_at", pa.timestamp("ms", "UTC")),
        ("version", pa.int32()),  # the published one; 0 for none
        ("responses", pa.int64()),  # not deleted
        ("last_response_at", pa.timestamp("ms", "UTC")),
    ]
)
PARTIALS: Final = pa.schema(
    [
        ("partial_id", pa.string()),
        ("form_id", pa.string()),
        ("form_version", pa.int32()),
        ("state", pa.string()),  # open, submitted, expired, withdrawn
        ("page", pa.string()),  # its name or number, as the client said when it left; null where it said none
        ("created_at", pa.timestamp("ms", "UTC")),
        ("updated_at", pa.timestamp("ms", "UTC")),
    ]
)
AI_RESULTS: Final = pa.schema(
    [
        ("response_id", pa.string()),
        ("form_id", pa.string()),
        ("sentiment", pa.string()),  # positive, neutral, negative, unsure
        ("confidence", pa.float64()),
        ("language", pa.string()),
        ("categories", pa.list_(pa.string())),
        ("analyzed_at", pa.timestamp("ms", "UTC")),
    ]
)
ACTIVITY: Final = pa.schema(
    [
        ("user_id", pa.string()),
        ("date", pa.date32()),  # UTC
        ("action", pa.string()),  # of the audit log, or response.submitted
        ("count", pa.int64()),
    ]
)
TABLES: Final[Mapping[str, pa.Schema]] = {
    "forms": FORMS,
    "partials": PARTIALS,
    "ai_results": AI_RESULTS,
    "activity": ACTIVITY,
}
