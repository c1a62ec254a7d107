"""A shard pair: the consuming channel of one queue and the publishing channel of all that comes from it.

Law (DELIVERY.md 8): one queue's messages pass one channel in order and are published in that order on one channel. A
pair fails alone: what was unsettled in it is redelivered by the broker.
"""

from collections import deque
from enum import Enum, auto
from typing import Final, NamedTuple

from aiormq.abc import AbstractChannel

from router.core.delivery import Delivery, Role
from router.core.duplicates import DuplicateWindow
from router.core.ledger import UnconfirmedOutputs, UnsettledInputs
from router.lane import outbound

METHOD_CACHE_ENTRIES: Final = 2048
"""Publish method frames kept per pair: more inboxes than one shard's clients write to; about 200 bytes each."""


class State(Enum):
    """What the pair does with deliveries."""

    CLOSED = auto()
    OPEN = auto()
    CLOSING = auto()
    """No new decision; deliveries that come are the broker's to redeliver."""


class Source(NamedTuple):
    """A queue that a session consumes; `shard` is -1 for the hub's own queues."""

    queue: str
    role: Role
    shard: int = -1


class Pair:
    """The live state of one source in one session."""

    def __init__(self, source: Source, prefetch: int) -> None:
        self.source = source
        self.prefetch = prefetch
        self.state = State.CLOSED
        self.consuming: AbstractChannel | None = None
        self.publishing: AbstractChannel | None = None
        self.consume_number = 0
        self.publish_number = 0
        self.undecided: deque[Delivery] = deque()
        self.inputs = UnsettledInputs()
        self.outputs = UnconfirmedOutputs()
        self.window = DuplicateWindow()
        self.queued = False
        """Whether the pair waits in the session's round-robin."""
        self.resetting = False
        self.confirmed: set[tuple[str, str]] = set()
        """Exchange and key of what was confirmed on the publishing channel: a queue of the hub each."""
        self._methods: dict[tuple[str, str], bytes] = {}

    @property
    def alone(self) -> bool:
        """Subscribed with prefetch 1: after a crash, or because of a suspected poison (DELIVERY.md 6)."""
        return self.prefetch == 1

    def method(self, exchange: str, queue: str) -> bytes:
        """The publish method frame on this pair's channel."""
        key = (exchange, queue)
        frame = self._methods.get(key)
        if frame is None:
            if len(self._methods) >= METHOD_CACHE_ENTRIES:
                self._methods.clear()
            frame = self._methods[key] = outbound.publish_method(self.publish_number, exchange, queue)
        return frame

    def opened_for_publishing(self, channel: AbstractChannel) -> None:
        """A fresh channel in confirm mode: numbers start at 1."""
        self.publishing, self.publish_number = channel, channel.number
        self.outputs = UnconfirmedOutputs()
        self.confirmed.clear()
        self._methods.clear()

    def opened_for_consuming(self, channel: AbstractChannel) -> None:
        """A fresh channel: tags start at 1."""
        self.consuming, self.consume_number = channel, channel.number
        self.inputs = UnsettledInputs()
        self.undecided.clear()

    def orphan(self) -> None:
        """Inputs of a closed channel can no longer be settled: a fresh ledger tells them."""
        self.inputs = UnsettledInputs()

    def forget_undecided(self) -> int:
        """Drop what waits for a decision (the broker redelivers it); the bytes that it held."""
        freed = sum(len(delivery.body) for delivery in self.undecided)
        self.undecided.clear()
        return freed
