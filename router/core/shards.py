"""Which shard a client's messages pass, and what the topology version remembers of it.

A client's shard is chosen once, by rendezvous hashing over the shards of that day, and written down. What
is written down wins over what the hash would say today: a client never changes its shard because the number
of shards did.
"""

from collections.abc import Mapping
from hashlib import blake2b

from msgspec import Struct

from router.core.names import SHARD_QUEUE_PREFIX
from router.core.names import shard_queue as shard_queue

SHARDS_MAX = 100
"""Shard queues are named with two digits."""


def shard_of(client_id: str, shards: int) -> int:
    """The shard that rendezvous hashing gives a client: the one of the highest weight. Stable over
    processes and machines.

    Adding shards moves a client to a new shard or not at all, never between old ones.
    """
    if not 1 <= shards <= SHARDS_MAX:
        raise ValueError(f"shards is {shards}, allowed are 1 to {SHARDS_MAX}")
    return max(range(shards), key=lambda shard: blake2b(f"{client_id}|{shard}".encode(), digest_size=8).digest())


def shard_number(queue: str) -> int | None:
    """The shard whose queue this is, or None: the inverse of `shard_queue`."""
    number = queue.removeprefix(SHARD_QUEUE_PREFIX)
    if number == queue or not (number.isascii() and number.isdecimal()):
        return None
    return int(number)


class TopologyVersion(Struct, frozen=True, forbid_unknown_fields=True):
    """One applied topology of one vhost. `clients` maps client ids to shards; `previous` is the map of the
    version before."""

    version: int
    shards: int
    clients: dict[str, int]
    previous: dict[str, int] | None = None

    def shard(self, client_id: str) -> int:
        """The shard that a client's messages belong to now.

        A client that is not written down (added to the directory, topology not applied or not reloaded yet)
        is where `apply` will put it: by rendezvous.
        """
        recorded = self.clients.get(client_id)
        return shard_of(client_id, self.shards) if recorded is None else recorded

    def owns(self, client_id: str, shard: int) -> bool:
        """True when a message of this client may lie in this shard, under the current or the previous
        version.

        False means: a copy that the client had no right to make (a BCC). A router may settle it unforwarded.
        """
        if self.shard(client_id) == shard:
            return True
        return self.previous is not None and self.previous.get(client_id) == shard

    def followed_by(self, shards: int, clients: Mapping[str, int]) -> "TopologyVersion":
        """The next version, or this very one when nothing changed."""
        if shards == self.shards and clients == self.clients:
            return self
        return TopologyVersion(self.version + 1, shards, dict(clients), self.clients)


def place(
    client_ids: tuple[str, ...], shards: int, recorded: Mapping[str, int], bound: Mapping[str, frozenset[int]]
) -> dict[str, int]:
    """The shard of each client: where the broker already sends it, else where it is recorded, else by
    rendezvous.

    `bound` has the shards that the broker's bindings give a client now. When there are several, the
    recorded one wins. A client on one shard stays there, whatever the record says: moving it is a procedure
    of its own, never a by-effect.
    """
    placed = {}
    for client_id in client_ids:
        there = bound.get(client_id, frozenset())
        record = recorded.get(client_id)
        if len(there) == 1:
            (placed[client_id],) = there
        elif record is not None:
            placed[client_id] = record
        else:
            best = shard_of(client_id, shards)
            placed[client_id] = best if best in there or not there else min(there)
    return placed
