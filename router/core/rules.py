"""What a decision is made by: one immutable value per vhost, replaced whole on a reload."""

from typing import Final

from msgspec import Struct

from router.core.directory import Directory
from router.core.shards import TopologyVersion
from validators import Pack

POISON_PARK_COUNT: Final = 8
"""From this delivery count on a message is parked undecoded (DELIVERY.md 6)."""
POISON_ALONE_COUNT: Final = 3
"""From this delivery count on a message is decided alone, with prefetch 1 (DELIVERY.md 6)."""


class Rules(Struct, frozen=True):
    """The rules of one vhost."""

    vhost: str
    directory: Directory
    topology: TopologyVersion
    pack: Pack
    max_message_bytes: int
    inbox_ttl_ms: int
