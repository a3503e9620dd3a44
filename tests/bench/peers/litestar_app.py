"""The naive way in our own framework: each request decodes its token and asks Redis for the body."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime
from typing import Any

import jwt
import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import ClientException, NotAuthorizedException, NotFoundException
from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern
from redis.asyncio import Redis

SECRET = os.environ["PEER_SECRET"]
AnyRequest = Request[Any, Any, Any]


async def connect(app: Litestar) -> None:
    app.state.cache = Redis.from_url(os.environ["PEER_REDIS"])
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(os.environ["PEER_MONGO"], tz_aware=True)
    app.state.db = client.get_database(os.environ["PEER_DATABASE"])
    app.state.rows = app.state.db.get_collection("peer_responses", write_concern=WriteConcern(j=True))


def user_id(request: AnyRequest) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        raise NotAuthorizedException
    try:
        claims: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        raise NotAuthorizedException from None
    return str(claims["user_id"])


@get("/api/v1/forms/{form_id:str}")
async def get_form(request: AnyRequest, form_id: str) -> Response[bytes]:
    """Cache-aside, for 60 s, by user."""
    user, state = user_id(request), request.app.state
    key = f"form:{user}:{form_id}"
    body = await state.cache.get(key)
    if body is None:
        form = await state.db.peer_forms.find_one({"_id": form_id, "owner": user})
        if form is None:
            raise NotFoundException
        body = msgspec.json.encode(form)
        await state.cache.set(key, body, ex=60)
    return Response(body, media_type="application/json")


class Submission(msgspec.Struct):
    data: dict[str, Any]


@post("/api/v1/forms/{form_id:str}/responses")
async def submit(request: AnyRequest, form_id: str, data: Submission) -> dict[str, Any]:
    """One durable insert. The rules are as cheap as can be: two fields by hand."""
    name, words = data.data.get("name"), data.data.get("words", "")
    if not isinstance(name, str) or len(name) > 100 or not isinstance(words, str):
        raise ClientException
    now = datetime.now(UTC)
    row = {"_id": uuid.uuid4().hex, "form_id": form_id, "data": data.data, "created_at": now}
    await request.app.state.rows.insert_one(row)
    return {"response_id": row["_id"], "form_id": form_id, "created_at": now, "data": data.data}


app = Litestar(
    route_handlers=[get_form, submit], on_startup=[connect], logging_config=None, openapi_config=None
)
