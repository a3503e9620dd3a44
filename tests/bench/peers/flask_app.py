"""The peer: forms by Flask as its users write it, with PyJWT, redis-py, pymongo, under Gunicorn gthread."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime
from typing import Any

import jwt
import redis
from flask import Flask, Response, abort, json, request
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

SECRET = os.environ["PEER_SECRET"]
app = Flask(__name__)
cache = redis.Redis.from_url(os.environ["PEER_REDIS"])
client: MongoClient[dict[str, Any]] = MongoClient(os.environ["PEER_MONGO"], tz_aware=True)
db = client.get_database(os.environ["PEER_DATABASE"])
rows = db.get_collection("peer_responses", write_concern=WriteConcern(j=True))


def user_id() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        abort(401)
    try:
        claims: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        abort(401)
    return str(claims["user_id"])


@app.get("/api/v1/forms/<form_id>")
def get_form(form_id: str) -> Response:
    """Cache-aside, for 60 s, by user."""
    user = user_id()
    key = f"form:{user}:{form_id}"
    body = cache.get(key)
    if body is None:
        form = db.peer_forms.find_one({"_id": form_id, "owner": user})
        if form is None:
            abort(404)
        body = json.dumps(form)
        cache.set(key, body, ex=60)
    return Response(body, mimetype="application/json")


@app.post("/api/v1/forms/<form_id>/responses")
def submit(form_id: str) -> tuple[dict[str, Any], int]:
    """One durable insert. The rules are as cheap as can be: two fields by hand."""
    data = request.get_json().get("data")
    if not isinstance(data, dict) or not isinstance(data.get("name"), str) or len(data["name"]) > 100:
        abort(422)
    if not isinstance(data.get("words", ""), str):
        abort(422)
    now = datetime.now(UTC)
    row = {"_id": uuid.uuid4().hex, "form_id": form_id, "data": data, "created_at": now}
    rows.insert_one(row)
    return {"response_id": row["_id"], "form_id": form_id, "created_at": now.isoformat(), "data": data}, 201
