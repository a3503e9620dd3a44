"""How much of a form's room one address may take with what nobody has submitted: so that no stranger fills it
for all others. Who may edit the form is not concerned.
"""

from __future__ import annotations

from appliance.domain.access import Level, level
from appliance.services.admission import Visit
from appliance.services.context import Context
from appliance.services.form_states import FormState
from appliance.stores import storage
from appliance.stores.limits import origin
from appliance.stores.storage import Share

_MB = 1024 * 1024
_FILES = 20
"""Files for each percent: an empty one takes a place on the disk too, and each is looked at."""


def of_files(context: Context, visit: Visit, state: FormState) -> Share | None:
    """Never less than one file may have."""
    asked = context.settings
    most = max(asked.form_files_mb * asked.address_share // 100, asked.upload_mb)
    return _share(context, visit, state, _FILES * asked.address_share, most * _MB)


def of_partials(context: Context, visit: Visit, state: FormState) -> Share | None:
    percent = context.settings.address_share
    most, most_bytes = storage.MOST_PARTIALS, storage.MOST_PARTIAL_BYTES
    return _share(context, visit, state, most * percent // 100, most_bytes * percent // 100)


def _share(context: Context, visit: Visit, state: FormState, most: int, most_bytes: int) -> Share | None:
    if level(visit.caller, state.row) >= Level.EDIT:
        return None
    # What is stored does not tell the address, and is another one for each form.
    name = context.cursors.derive("origin", f"{visit.form_id}\0{origin(visit.address)}")
    return Share(name, most, most_bytes)
