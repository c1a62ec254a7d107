"""What a delivery tells of its message: with which key, when, how and in which format its client published it.

Hub headers are asked only where they are believed (`Delivery.believed`, DELIVERY.md 2).
"""

from typing import Final

from router.core import names
from router.core.conversion import JSON_TYPE, XML_TYPE
from router.core.delivery import Delivery
from router.core.directory import Client, Format
from router.core.properties import Properties

_FORMATS: Final = {JSON_TYPE: Format.JSON, XML_TYPE: Format.XML}


def client_key(delivery: Delivery) -> str:
    """The routing key that the client published with: the delivery's own, or the hub header where that is believed."""
    properties = delivery.properties
    if delivery.believed and properties is not None:
        return properties.text(names.HEADER_KEY) or delivery.routing_key
    return delivery.routing_key


def attempt_of(delivery: Delivery) -> int:
    """Rungs climbed so far."""
    properties = delivery.properties
    if not delivery.believed or properties is None:
        return 0
    return max(0, properties.number(names.HEADER_ATTEMPT))


def first_seen_ms(delivery: Delivery, now: float) -> int:
    """When the hub first took this message, epoch milliseconds."""
    properties = delivery.properties
    if delivery.believed and properties is not None:
        return properties.number(names.HEADER_FIRST_SEEN) or int(now * 1000)
    return int(now * 1000)


def has_copies(delivery: Delivery) -> bool:
    """Whether the client published it with CC; the hub's own copies of an input say so in a hub header."""
    return _published(delivery, names.PUBLISHED_COPIES) or (
        delivery.properties is not None and delivery.properties.has_cc
    )


def is_transient(delivery: Delivery) -> bool:
    """Whether the client published it not persistent; what the hub stores is persistent whatever that was."""
    return _published(delivery, names.PUBLISHED_TRANSIENT) or (
        delivery.properties is not None and not delivery.properties.persistent
    )


def _published(delivery: Delivery, word: str) -> bool:
    properties = delivery.properties
    if not delivery.believed or properties is None:
        return False
    return word in properties.text(names.HEADER_PUBLISHED).split()


def is_marked(delivery: Delivery) -> bool:
    """DELIVERY.md 9: a redelivered input, or one from the ladder or from replay, may be a copy."""
    return delivery.redelivered or delivery.exchange == names.SHARD_EXCHANGE


def written_in(properties: Properties | None, client: Client | None) -> Format | None:
    """The format that a client's message says it has; None when that is neither."""
    content_type = properties.content_type if properties is not None else None
    if content_type == JSON_TYPE:
        return Format.JSON
    if not content_type:
        # PROTOCOL.md, checks: a partner hub's message with none is XML.
        return Format.XML if client is not None and not client.is_health else None
    return _FORMATS.get(content_type.partition(";")[0].strip().lower())


def death(delivery: Delivery) -> tuple[str, str]:
    """Why and where an inbox let go of it; from the hub's own headers once it has climbed the ladder."""
    properties = delivery.properties
    if properties is None:
        return "unknown", delivery.routing_key
    kept = properties.text(names.HEADER_REASON)
    if kept:
        reason, _, queue = kept.partition(" ")
        return reason, queue
    deaths = properties.value("x-death")
    newest = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    return str(newest.get("reason", "unknown")), str(newest.get("queue", delivery.routing_key))
