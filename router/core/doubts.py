"""Nacks that say nothing about the queue.

A channel of RabbitMQ 3.10 that first publishes to a queue in the second between the death of its leader's node and the
next election refuses (nacks) all publishes to that queue until that node is back; a channel opened later is told who
leads now (measured on 3.10.8). So the first nack of a queue that never confirmed on a channel is doubted: the channel
is given up and the broker redelivers. A full queue nacks on the next channel too, and is believed.
"""

from typing import Final

BELIEVED_SECONDS: Final = 60.0
"""A nack within this time after a doubted one is believed. Less than the ladder takes (71 s), so that the last rung's
input is doubted once more before it is parked; and a full inbox costs its shards one channel a minute."""
ENTRIES: Final = 4096
"""More inboxes than one worker writes to in a minute that nack; some 200 bytes each."""


class Doubts:
    """When a nack was doubted last, by source and target (exchange and key, which lead to one queue); outlives
    connections."""

    def __init__(self) -> None:
        self._doubted_at: dict[tuple[str, tuple[str, str]], float] = {}

    def doubt(self, source: str, target: tuple[str, str], now: float) -> bool:
        """Whether a nack of `target` for an input of `source` is doubted; the next ones are believed for a while."""
        before = self._doubted_at.get((source, target))
        if before is not None and now - before < BELIEVED_SECONDS:
            return False
        if len(self._doubted_at) >= ENTRIES:
            self._doubted_at.clear()
        self._doubted_at[source, target] = now
        return True
