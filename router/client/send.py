"""Sending as a client: with its own key, persistent, mandatory, confirmed (PROTOCOL.md, publishing)."""

import asyncio
import time
from datetime import datetime
from typing import Final
from uuid import uuid4

from aiormq.abc import AbstractChannel
from msgspec import Struct
from pamqp.commands import Basic

from router.client.bodies import Fresh, Summary, new_id, readdressed, summary
from router.client.connect import (
    BrokerRefusal,
    ClientError,
    Login,
    client_in,
    client_login,
    connected,
    refusals,
)
from router.core import names
from router.core.directory import Client, Naming
from router.settings.config import Config

CONFIRM_TIMEOUT_SECONDS: Final = 30.0
_PERSISTENT: Final = 2
_ACCESS_REFUSED: Final = 403


class Sent(Struct, frozen=True):
    """A message that the broker has confirmed. `key` is what it was published with."""

    distribution_id: str
    recipient: str
    key: str
    latency_ms: float


def publish_key(client: Client, kind: str) -> str:
    """The client's own key for a kind of message (PROTOCOL.md, names)."""
    return client.id if client.naming is Naming.FLAT else names.in_out_key(client.id, kind)


def fresh_body(body: bytes, client_id: str, recipient: str = "", now: datetime | None = None) -> bytes:
    """The body as a new message of the client: id, sender and dates; the recipient too unless "".

    Raises ClientError when the body is neither a JSON object nor XML with an envelope.
    """
    sent_at = now or datetime.now().astimezone()
    return _readdressed(body, Fresh(new_id(client_id, str(uuid4())), client_id, sent_at), recipient)


def with_recipient(body: bytes, recipient: str) -> bytes:
    """The same message to another recipient. Raises ClientError."""
    return _readdressed(body, None, recipient)


def _readdressed(body: bytes, fresh: Fresh | None, recipient: str) -> bytes:
    try:
        return readdressed(body, fresh, recipient)
    except ValueError:
        raise ClientError("the body has no envelope to fill in: it is neither a JSON object nor XML") from None


def kind_of(read: Summary, asked: str = "") -> str:
    """The kind to publish as: the one asked for, else what the body says. Raises ClientError."""
    kind = asked or read.kind
    if kind is None:
        known = ", ".join(names.KIND_OF_DISTRIBUTION)
        raise ClientError(f"distributionKind is not one of {known}: say which key to use with --kind")
    return kind


async def publish(channel: AbstractChannel, login: Login, client: Client, kind: str, body: bytes) -> Sent:
    """Publishes and waits for the confirm. Raises BrokerRefusal; then the message may or may not be stored,
    but for a broker that refused it."""
    read = summary(body)
    key = publish_key(client, kind)
    properties = Basic.Properties(content_type=read.content_type, delivery_mode=_PERSISTENT)
    started = time.perf_counter()
    try:
        async with refusals(login), asyncio.timeout(CONFIRM_TIMEOUT_SECONDS):
            await channel.basic_publish(
                body, exchange=names.ENTRANCE, routing_key=key, mandatory=True, properties=properties
            )
    except BrokerRefusal as refusal:
        if refusal.code != _ACCESS_REFUSED:
            raise
        text = f"the broker does not let {login.user!r} publish with the key {key!r}"
        raise BrokerRefusal(text, refusal.code) from refusal
    return Sent(read.distribution_id, read.recipient, key, (time.perf_counter() - started) * 1000)


async def send(config: Config, client_id: str, body: bytes, *, kind: str = "", vhost: str = "") -> Sent:
    """Connects as the client, publishes one body as it is and disconnects.

    `kind` "" takes the kind from the body. Raises ClientError (BrokerRefusal), SettingsError.
    """
    client, directory = client_in(config, client_id, vhost)
    chosen = kind_of(summary(body), kind)
    login = client_login(config, client_id, directory.vhost)
    async with connected(login) as connection:
        async with refusals(login):
            channel = await connection.channel()
        return await publish(channel, login, client, chosen, body)
