"""What a use case works with: one context a process, made by `app` and by the workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from appliance.addresses import Paths
from appliance.queue import sender
from appliance.security.egress import Egress
from appliance.security.keyring import open_keyring
from appliance.security.passwords import Passwords
from appliance.security.sealing import Sealer, open_sealer
from appliance.security.signatures import Signer, open_signer
from appliance.security.tokens import Tokens
from appliance.services.bodies import Bodies
from appliance.services.form_states import FormStates
from appliance.services.free_text import Readers
from appliance.services.schemas import Schemas
from appliance.services.subscriptions import Subscriptions
from appliance.settings import Settings
from appliance.stores import mongo, transactions
from appliance.stores.generations import Generations
from appliance.stores.limits import Limiter
from appliance.stores.response_writer import ResponseWriter
from appliance.stores.space import Space
from appliance.stores.webhook_gate import Gate

_LISTENERS = 50
_IMPORTS = 2
"""Files that are read at once, each in a child of up to 512 MB."""


@dataclass(slots=True)
class Context:
    settings: Settings
    client: AsyncMongoClient[mongo.Document]
    db: mongo.Database
    redis: Redis
    listening: Redis
    """For those who wait for events: each takes a connection for long."""
    sender: sender.Sender
    writer: ResponseWriter
    generations: Generations
    schemas: Schemas
    bodies: Bodies
    forms: FormStates
    tokens: Tokens
    passwords: Passwords
    cursors: Signer
    subjects: Signer
    """For fingerprints of erasures; its key is never replaced: they are kept for good."""
    sealer: Sealer
    egress: Egress
    gate: Gate
    subscriptions: Subscriptions
    limits: Limiter
    space: Space
    importing: asyncio.Semaphore
    """Turns of files that are read for an import."""
    texts: Readers = field(default_factory=Readers)
    searches: int = 0
    """By meaning, that this process waits for."""
    listeners: Counter[str] = field(default_factory=Counter)
    """By user: how many tasks they listen to."""
    stopping: bool = False
    """True once the process was asked to end: whoever holds a line open lets go of it."""
    prepared: bool = False
    """True once indexes and the first account are there."""

    async def close(self) -> None:
        await self.writer.stop()
        await self.sender.stop()
        self.passwords.close()
        await self.redis.aclose()
        await self.listening.aclose()
        await self.client.close()
        self.generations.close()


def open_context(settings: Settings) -> Context:
    """Connects to nothing yet. Call inside the event loop. Raises CannotStart."""
    paths = Paths(settings.data)
    client = mongo.connect(settings)
    transactions.take_turns(client, paths.run / "transactions.lock")
    db = mongo.database(client)
    redis = sender.connect(settings)
    generations = Generations(paths.run / "generations")
    schemas = Schemas()
    return Context(
        settings=settings,
        client=client,
        db=db,
        redis=redis,
        listening=sender.connect(settings, most=_LISTENERS),
        sender=sender.Sender(redis),
        writer=ResponseWriter(db),
        generations=generations,
        schemas=schemas,
        bodies=Bodies(redis, generations),
        forms=FormStates(db, generations, schemas),
        tokens=Tokens(open_keyring(paths.jwt_keys, settings.secret_key), settings.token_hours),
        passwords=Passwords(),
        cursors=open_signer(paths.cursor_key),
        subjects=open_signer(paths.subject_key),
        sealer=open_sealer(paths.webhook_key),
        egress=Egress(settings.egress_allow),
        gate=Gate(redis),
        subscriptions=Subscriptions(db, generations),
        limits=Limiter(redis, enabled=settings.rate_limit),
        space=Space(paths.data),
        importing=asyncio.Semaphore(_IMPORTS),
    )
