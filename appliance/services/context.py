"""What a use case works with: one context a process, made by `app` and by the workers."""

from __future__ import annotations

from dataclasses import dataclass

from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from appliance.addresses import Paths
from appliance.queue import sender
from appliance.security.keyring import open_keyring
from appliance.security.passwords import Passwords
from appliance.security.signatures import Signer, open_signer
from appliance.security.tokens import Tokens
from appliance.services.form_states import FormStates
from appliance.settings import Settings
from appliance.stores import mongo
from appliance.stores.response_writer import ResponseWriter
from appliance.stores.space import Space


@dataclass(slots=True)
class Context:
    settings: Settings
    client: AsyncMongoClient[mongo.Document]
    db: mongo.Database
    redis: Redis
    sender: sender.Sender
    writer: ResponseWriter
    forms: FormStates
    tokens: Tokens
    passwords: Passwords
    cursors: Signer
    space: Space
    prepared: bool = False
    """True once indexes and the first account are there."""

    async def close(self) -> None:
        await self.writer.stop()
        await self.sender.stop()
        self.passwords.close()
        await self.redis.aclose()
        await self.client.close()


def open_context(settings: Settings) -> Context:
    """Connects to nothing yet. Call inside the event loop. Raises CannotStart."""
    paths = Paths(settings.data)
    client = mongo.connect(settings)
    db = mongo.database(client)
    redis = sender.connect(settings)
    return Context(
        settings=settings,
        client=client,
        db=db,
        redis=redis,
        sender=sender.Sender(redis),
        writer=ResponseWriter(db),
        forms=FormStates(db),
        tokens=Tokens(
            open_keyring(paths.secrets / "jwt_keys.json", settings.secret_key), settings.token_hours
        ),
        passwords=Passwords(),
        cursors=open_signer(paths.secrets / "cursor_key"),
        space=Space(paths.data),
    )
