"""One delivery, from its arrival until its input is settled: the facts that a decision reads and a log line tells."""

from enum import Enum, auto
from typing import Any

from router.core.errors import MalformedProperties
from router.core.names import DEAD_SHARD, ENTRANCE, SHARD_EXCHANGE, SHARD_QUEUE_PREFIX
from router.core.properties import Properties, parse


class Role(Enum):
    """What kind of queue a delivery comes from; decides how it is read and what its headers are worth."""

    SHARD = auto()
    UNKNOWN = auto()
    DEAD_INBOX = auto()
    DEAD_SHARD = auto()
    DEAD_PARKED = auto()


class Delivery:
    """An unsettled input. `received_at` is the loop's clock in seconds; `properties` None when they cannot be read."""

    __slots__ = (
        "believed",
        "body",
        "decision",
        "delivery_count",
        "exchange",
        "ledger",
        "marked",
        "missing",
        "pair",
        "properties",
        "queue",
        "received_at",
        "redelivered",
        "role",
        "routing_key",
        "settled",
        "shard",
        "tag",
    )

    def __init__(
        self,
        queue: str,
        role: Role,
        shard: int,
        tag: int,
        redelivered: bool,
        exchange: str,
        routing_key: str,
        raw_properties: bytes,
        body: bytes,
        received_at: float,
    ) -> None:
        self.queue, self.role, self.shard = queue, role, shard
        self.tag, self.redelivered = tag, redelivered
        self.exchange, self.routing_key = exchange, routing_key
        self.body, self.received_at = body, received_at
        self.settled = False
        self.marked = False
        self.missing = 0
        """Outputs that are not done yet."""
        self.decision: Any = None
        self.pair: Any = None
        self.ledger: object = None
        """Where it is settled; opaque to the core. Another ledger in the pair means that its channel is gone."""
        self.properties: Properties | None
        try:
            self.properties = parse(raw_properties)
        except MalformedProperties:
            self.properties = None
        self.believed = _hub_headers_believed(role, exchange, routing_key)
        """Whether hub headers mean anything here."""
        # Believed only on a redelivery: on a first one, newer brokers leave the field to whatever the client wrote.
        self.delivery_count = (
            self.properties.number("x-delivery-count") if redelivered and self.properties is not None else 0
        )


def _hub_headers_believed(role: Role, exchange: str, routing_key: str) -> bool:
    """DELIVERY.md 2: only on deliveries whose exchange clients cannot write to.

    A shard's dead letter keeps the headers it had, so it is believed only if it came to the shard from the hub itself,
    which its kept routing key tells.
    """
    if role is Role.SHARD or role is Role.UNKNOWN:
        return exchange == SHARD_EXCHANGE
    if role is Role.DEAD_SHARD and exchange == DEAD_SHARD:
        return routing_key.startswith(SHARD_QUEUE_PREFIX)
    return exchange != ENTRANCE
