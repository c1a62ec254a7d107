"""Moves what lies in an inbox to the parked messages, so that the inbox can go. Nothing is acknowledged
before its parked copy, and the sender's report about it, are confirmed."""

import asyncio
import time
from typing import Any, Final
from urllib.parse import quote

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from router.core import names
from router.core.directory import Directory
from router.core.envelope import scan_reference
from router.core.refusals import Code, cause
from router.core.report import Report, report, report_id
from router.settings.config import Config
from validators import Pack

BATCH: Final = 100
"""Messages in hand at once: bounds memory to a hundred bodies."""
_DROPPED: Final = ("CC", "BCC", "x-delivery-count", names.HEADER_PUBLISH)
_DROPPED_PREFIXES: Final = ("x-death", "x-first-death", "x-last-death")
_DAY_MS: Final = 86_400_000


class ParkingFailed(Exception):
    """The broker did not take all of them. What was not parked and confirmed is still in the inbox."""


def park_inbox(config: Config, vhost: str, queue: str, directory: Directory, pack: Pack) -> int:
    """Parks everything that can be taken from the inbox and returns how many. `directory` is who may be told, in
    the formats of `pack`.

    Logs in as the management user: the router may not read inboxes. Raises ParkingFailed, ConfigError.
    """
    try:
        return asyncio.run(_park(config, vhost, queue, directory, pack))
    except (aiormq.exceptions.AMQPException, OSError, TimeoutError) as error:
        raise ParkingFailed(f"[{vhost}] {queue}: parking broke off ({type(error).__name__})") from error


async def _park(config: Config, vhost: str, queue: str, directory: Directory, pack: Pack) -> int:
    user, secret = quote(config.management.user, safe=""), quote(config.management.secret(), safe="")
    host = f"[{config.broker.host}]" if ":" in config.broker.host else config.broker.host
    url = f"amqp://{user}:{secret}@{host}:{config.broker.port}/{quote(vhost, safe='')}"
    connection = await aiormq.connect(url)
    try:
        channel = await connection.channel(publisher_confirms=True)
        parked = 0
        while batch := await _take(channel, queue):
            async with asyncio.timeout(config.delivery.confirm_timeout_seconds), asyncio.TaskGroup() as group:
                for message in batch:
                    group.create_task(_park_one(channel, queue, directory, pack, message))
            await channel.basic_ack(_tag(batch[-1]), multiple=True)
            parked += len(batch)
        await channel.close()
        return parked
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    finally:
        await connection.close()


async def _take(channel: AbstractChannel, queue: str) -> list[DeliveredMessage]:
    batch: list[DeliveredMessage] = []
    while len(batch) < BATCH:
        message = await channel.basic_get(queue)
        if isinstance(message.delivery, Basic.GetEmpty):
            break
        batch.append(message)
    return batch


def _tag(message: DeliveredMessage) -> int:
    assert message.delivery_tag is not None  # every GetOk has one
    return message.delivery_tag


async def _park_one(
    channel: AbstractChannel, queue: str, directory: Directory, pack: Pack, message: DeliveredMessage
) -> None:
    now = time.time()
    reference = scan_reference(message.body)
    headers = dict(message.header.properties.headers or {})
    properties = parked_properties(message.header.properties, queue, reference, now)
    await _publish(channel, names.PARKED, names.PARKED, message.body, properties)
    # An error report that dies is never reported about; nor can be who is not there any more.
    owner = directory.sender_of_key(str(headers.get(names.HEADER_KEY, "")))
    if owner is None or queue.endswith(f".{names.INFO}"):
        return
    identifier = report_id(message.body, queue, now)
    text = cause("parked", reason=names.REASON_INBOX_REMOVED)
    told = Report(owner.client, Code.DEAD_LETTER_QUEUED, text, reference)
    content_type, body = report(told, identifier, pack, now)
    properties = Basic.Properties(content_type=content_type, delivery_mode=2, message_id=identifier)
    try:
        await _publish(channel, names.INBOX_EXCHANGE, owner.client.inbox(names.INFO), body, properties)
    except aiormq.exceptions.PublishError:
        pass  # returned: the sender's own inbox is being removed too


async def _publish(
    channel: AbstractChannel, exchange: str, key: str, body: bytes, properties: Basic.Properties
) -> None:
    """Confirmed and not returned, or it raises (a nack is a DeliveryError)."""
    await channel.basic_publish(body, exchange=exchange, routing_key=key, properties=properties, mandatory=True)


def parked_properties(properties: Basic.Properties, queue: str, reference: str, now: float) -> Basic.Properties:
    """The client's properties with the hub's parking headers, kept until the message's own end and at most
    a day.

    Its age counts from when the hub first saw it, which the forwarded message says.
    """
    headers: dict[str, Any] = {
        key: value
        for key, value in (properties.headers or {}).items()
        if key not in _DROPPED and not key.startswith(_DROPPED_PREFIXES)
    }
    now_ms = int(now * 1000)
    first_seen = headers.get(names.HEADER_FIRST_SEEN)
    first_seen_ms = first_seen if isinstance(first_seen, int) else now_ms
    headers |= {
        names.HEADER_ORIGIN: names.ORIGIN_CLIENT,
        names.HEADER_FIRST_SEEN: first_seen_ms,
        names.HEADER_REASON: names.REASON_INBOX_REMOVED,
        names.HEADER_HISTORY: f"{now_ms} {names.REASON_INBOX_REMOVED} {queue};",
        names.HEADER_REFERENCE: reference,
        names.HEADER_PARKED_AT: now_ms,
    }
    given = str(properties.expiration or "")
    life_ms = min(int(given), _DAY_MS) if given.isdecimal() else _DAY_MS
    left_ms = max(1, first_seen_ms + life_ms - now_ms)
    return Basic.Properties(
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        headers=headers,
        delivery_mode=2,
        priority=properties.priority,
        correlation_id=properties.correlation_id,
        reply_to=properties.reply_to,
        expiration=str(min(left_ms, _DAY_MS)),
        message_id=properties.message_id,
        timestamp=properties.timestamp,
        message_type=properties.message_type,
        app_id=properties.app_id,
    )
