"""The people that a form is shared with; the shares themselves lie in the form."""

from __future__ import annotations

from appliance.stores.mongo import Database, Document


async def find_users(db: Database, ids: list[str], names: list[str]) -> list[Document]:
    """The accounts of these ids and of these names (in lower case), each once, without their secrets."""
    shown = {"username": 1}
    by_id = await db.users.find({"_id": {"$in": ids}}, shown).to_list() if ids else []
    by_name = await db.users.find({"username": {"$in": names}}, shown).to_list() if names else []
    return list({user["_id"]: user for user in (*by_id, *by_name)}.values())
